package bundlestate_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/bundlestate"
	"nexus/libupdates/refusal"
)

func tree(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// lines are what a tree holds, one line each.
func lines(t *testing.T, root *os.Root) (all []string) {
	t.Helper()
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text := ""
		switch entry.Type() {
		case 0:
			raw, _ := root.ReadFile(name)
			text = string(raw)
		case fs.ModeSymlink:
			text, _ = root.Readlink(name)
		}
		all = append(all, fmt.Sprint(name, " ", entry.Type(), " ", text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What is exported is imported as it was, and exported again as the same bytes.
func TestExportAndImport(t *testing.T) {
	from := tree(t)
	for _, err := range []error{
		from.WriteFile("a", []byte("text"), 0o600), from.Mkdir("b", 0o700), from.Mkdir("b/c", 0o700),
		from.WriteFile("b/c/d", nil, 0o600), from.Symlink("/somewhere/else", "link"),
		from.WriteFile("b/"+strings.Repeat("ä", 100), []byte("long"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var first, second bytes.Buffer
	to := tree(t)
	err := errors.Join(bundlestate.Export(&first, from),
		bundlestate.Import(bytes.NewReader(first.Bytes()), to, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(lines(t, to), "\n"), strings.Join(lines(t, from), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	entries := 0
	for r := tar.NewReader(bytes.NewReader(first.Bytes())); ; entries++ {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	err = bundlestate.Export(&second, from)
	if same := bytes.Equal(first.Bytes(), second.Bytes()); err != nil || entries != 6 || !same {
		t.Errorf("%d entries, %v; the same bytes again: %v", entries, err, same)
	}
}

// Only trees of files, folders and links are accepted; anything else is refused, and nothing is written outside.
func TestImportRefuses(t *testing.T) {
	file := func(name, text string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o600}
	}
	kind := func(name string, flag byte, link string) tar.Header {
		return tar.Header{Name: name, Typeflag: flag, Linkname: link, Mode: 0o700}
	}
	for name, c := range map[string]struct {
		entries []tar.Header
		want    refusal.Reason
	}{
		"a file":                    {[]tar.Header{file("a", "x")}, ""},
		"a folder and a file":       {[]tar.Header{kind("./b/", tar.TypeDir, ""), file("./b/a", "x")}, ""},
		"the tree itself":           {[]tar.Header{kind("./", tar.TypeDir, ""), file("a", "x")}, ""},
		"an absolute name":          {[]tar.Header{file("/a", "x")}, refusal.BadArchive},
		"a name that goes up":       {[]tar.Header{file("../a", "x")}, refusal.BadArchive},
		"one that comes back":       {[]tar.Header{file("b/../../a", "x")}, refusal.BadArchive},
		"a file without a folder":   {[]tar.Header{file("b/a", "x")}, refusal.BadArchive},
		"a name twice":              {[]tar.Header{file("a", "x"), file("a", "y")}, refusal.BadArchive},
		"names that differ in case": {[]tar.Header{file("a", "x"), file("A", "y")}, refusal.BadArchive},
		"a file below a file":       {[]tar.Header{file("a", "x"), file("a/b", "y")}, refusal.BadArchive},
		"through a link that leads out": {[]tar.Header{kind("l", tar.TypeSymlink, "/tmp"), file("l/a", "y")},
			refusal.BadArchive},
		"through a link that goes up": {[]tar.Header{kind("l", tar.TypeSymlink, "../.."), file("l/a", "y")},
			refusal.BadArchive},
		"a hard link":    {[]tar.Header{file("a", "x"), kind("b", tar.TypeLink, "a")}, refusal.BadArchive},
		"a device":       {[]tar.Header{kind("d", tar.TypeChar, "")}, refusal.BadArchive},
		"a block device": {[]tar.Header{kind("d", tar.TypeBlock, "")}, refusal.BadArchive},
		"a pipe":         {[]tar.Header{kind("p", tar.TypeFifo, "")}, refusal.BadArchive},
		"too deep":       {[]tar.Header{file(strings.Repeat("a/", 200)+"a", "x")}, refusal.BadArchive},
		"over the quota": {[]tar.Header{file("a", strings.Repeat("x", 600)), file("b", strings.Repeat("x", 600))},
			refusal.NoSpace},
	} {
		var raw bytes.Buffer
		w := tar.NewWriter(&raw)
		for _, h := range c.entries {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(name, err)
			}
			io.WriteString(w, strings.Repeat("x", int(h.Size)))
		}
		w.Close()
		parent := t.TempDir()
		if err := os.Mkdir(filepath.Join(parent, "tree"), 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(filepath.Join(parent, "tree"))
		if err != nil {
			t.Fatal(err)
		}
		err = bundlestate.Import(&raw, root, 1000)
		root.Close()
		beside, _ := os.ReadDir(parent)
		if got := refusal.Of(err); got != c.want || len(beside) != 1 {
			t.Errorf("%s: got %v, want %q; beside the tree: %v", name, err, c.want, beside)
		}
	}
	for name, raw := range map[string][]byte{"no archive": []byte(strings.Repeat("x", 1024)), "half a header": make([]byte, 100)} {
		if err := bundlestate.Import(bytes.NewReader(raw), tree(t), 1000); refusal.Of(err) != refusal.BadArchive {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// An archive has a bounded number of entries, and a file that it announces has to be there.
func TestImportIsBounded(t *testing.T) {
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for i := range bundlestate.MaxEntries + 1 {
		w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Typeflag: tar.TypeSymlink, Linkname: "x"})
	}
	w.Close()
	if err := bundlestate.Import(&raw, tree(t), 1000); refusal.Of(err) != refusal.BadArchive {
		t.Errorf("too many entries: %v", err)
	}
	raw.Reset()
	w = tar.NewWriter(&raw)
	w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 900})
	if err := bundlestate.Import(&raw, tree(t), 1000); refusal.Of(err) != refusal.BadArchive {
		t.Errorf("a file that is cut off: %v", err)
	}
}
