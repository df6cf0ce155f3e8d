package tree_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/tree"
)

func folder(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// site fills a folder with one of each kind.
func site(t *testing.T, root *os.Root) {
	t.Helper()
	must(t, root.WriteFile("index.html", []byte("hello"), 0o640), root.Mkdir("deep", 0o700),
		root.Mkdir("deep/er", 0o755), root.WriteFile("deep/er/run", []byte("#!"), 0o700),
		root.WriteFile("empty", nil, 0o600), root.Symlink("../index.html", "deep/up"),
		root.Symlink(".//deep/er/", "down"), root.WriteFile(strings.Repeat("ä", 100), []byte("long"), 0o600))
	f, err := root.Create("sparse")
	must(t, err)
	_, first := f.WriteAt([]byte("in the middle"), 20<<20)
	_, second := f.WriteAt([]byte("and later"), 30<<20)
	must(t, first, second, f.Truncate(40<<20), f.Close())
}

func packed(t *testing.T, root *os.Root) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, tree.Pack(&b, root))
	return b.Bytes()
}

// lines tell what is in a folder, one line each.
func lines(t *testing.T, root *os.Root) string {
	t.Helper()
	var all []string
	must(t, fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		what := fmt.Sprint(info.Mode()&fs.ModeType, info.Mode()&0o100)
		switch entry.Type() {
		case fs.ModeSymlink:
			what, err = root.Readlink(name)
		case 0:
			what += digest(t, root, name)
		}
		all = append(all, name+" "+strings.Trim(strings.ReplaceAll(what, "//", "/"), "./"))
		return err
	}))
	return strings.Join(all, "\n")
}

func digest(t *testing.T, root *os.Root, name string) string {
	t.Helper()
	f, err := root.Open(name)
	must(t, err)
	defer f.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	must(t, err)
	return fmt.Sprintf("%x", hash.Sum(nil))
}

// What is packed comes out again, holes included; the same folder gives the same bytes, whatever its times are and
// whether its holes are holes or zeros.
func TestPackAndUnpack(t *testing.T) {
	from, to := folder(t), folder(t)
	site(t, from)
	raw := packed(t, from)
	if len(raw) > 1<<20 {
		t.Errorf("40 MiB of holes take %d bytes", len(raw))
	}
	must(t, tree.Unpack(bytes.NewReader(raw), to), tree.Check(bytes.NewReader(raw), int64(len(raw))))
	if got, want := lines(t, to), lines(t, from); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	info, err := to.Stat("sparse")
	must(t, err)
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 8<<20 {
		t.Errorf("the sparse file takes %d bytes of the disk", used)
	}
	zeros, err := from.OpenFile("sparse", os.O_WRONLY, 0)
	must(t, err)
	_, err = zeros.WriteAt(make([]byte, 1<<20), 10<<20)
	must(t, err, zeros.Close())
	if !bytes.Equal(packed(t, from), raw) {
		t.Error("zeros in the place of a hole give other bytes")
	}
}

// Every tar reads it: GNU's makes the same folder.
func TestTarReadsIt(t *testing.T) {
	program, err := exec.LookPath("tar")
	if err != nil {
		t.Skip("needs tar")
	}
	from, to := folder(t), folder(t)
	site(t, from)
	cmd := exec.Command(program, "-xf", "-", "-C", to.Name())
	cmd.Stdin = bytes.NewReader(packed(t, from))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("this tar does not unpack pax with sparse files: %v: %s", err, out)
	}
	if got, want := lines(t, to), lines(t, from); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A file with more holes than are noted down comes out as it was.
func TestManyHoles(t *testing.T) {
	from, to := folder(t), folder(t)
	f, err := from.Create("holes")
	must(t, err)
	for i := range int64(1100) {
		_, err := f.WriteAt([]byte{1}, i*(128<<10))
		must(t, err)
	}
	must(t, f.Close(), tree.Unpack(bytes.NewReader(packed(t, from)), to))
	if lines(t, from) != lines(t, to) {
		t.Error("another file came out")
	}
}

// What a tree cannot have is refused, with its name and why.
func TestPackRefuses(t *testing.T) {
	for want, make := range map[string]func(root *os.Root) error{
		`"socket" is a socket: a tree has files, folders and links`: func(root *os.Root) error {
			listener, err := net.Listen("unix", filepath.Join(root.Name(), "socket"))
			t.Cleanup(func() { listener.Close() })
			return err
		},
		`"pipe" is a FIFO: a tree has files, folders and links`: func(root *os.Root) error {
			return exec.Command("mkfifo", filepath.Join(root.Name(), "pipe")).Run()
		},
		`"A" and "a" differ only in case`: func(root *os.Root) error {
			return errors.Join(root.WriteFile("A", nil, 0o600), root.WriteFile("a", nil, 0o600))
		},
		`"\u017f" and "s" differ only in case`: func(root *os.Root) error {
			return errors.Join(root.WriteFile("ſ", nil, 0o600), root.WriteFile("s", nil, 0o600))
		},
		`the link "link" leads out of the tree, to "/etc/passwd"`: func(root *os.Root) error {
			return root.Symlink("/etc/passwd", "link")
		},
		`the link "d/link" leads out of the tree, to "../../x"`: func(root *os.Root) error {
			return errors.Join(root.Mkdir("d", 0o700), root.Symlink("../../x", "d/link"))
		},
		`the link "link" does not lead straight to "d/../x"`: func(root *os.Root) error {
			return root.Symlink("d/../x", "link")
		},
		`"back\\slash" is not a name inside the tree`: func(root *os.Root) error {
			return root.WriteFile(`back\slash`, nil, 0o600)
		},
		`its files have more than 16 GiB`: func(root *os.Root) error {
			f, err := root.Create("huge")
			return errors.Join(err, f.Truncate(16<<30+1), f.Close())
		},
	} {
		root := folder(t)
		must(t, make(root))
		err := tree.Pack(io.Discard, root)
		if strings.HasPrefix(want, `"\u017f"`) {
			want = "\"s\" and \"ſ\" differ only in case"
		}
		if refusal.Of(err) != refusal.BadTree || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// An entry of an archive that nobody packed.
func entry(name string, kind byte, link string, size int64) tar.Header {
	return tar.Header{Name: name, Typeflag: kind, Linkname: link, Size: size, Mode: 0o755}
}

func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		must(t, w.WriteHeader(&h))
		if h.Size < 1<<20 {
			_, err := io.WriteString(w, strings.Repeat("x", int(h.Size)))
			must(t, err)
		}
	}
	w.Close()
	return b.Bytes()
}

// A reader believes nothing: what leads out, is not a file, folder or link, or is too much is refused, and nothing is
// written outside. Check refuses the same, without a folder.
func TestReadRefuses(t *testing.T) {
	dir, file := byte(tar.TypeDir), byte(tar.TypeReg)
	link := func(name, target string) tar.Header { return entry(name, tar.TypeSymlink, target, 0) }
	good := archive(t, entry("a", file, "", 1))
	for name, c := range map[string]struct {
		raw  []byte
		want string // empty: it is a tree
	}{
		"a tree":           {archive(t, entry("d/", dir, "", 0), entry("d/a", file, "", 3), link("l", "d/a")), ""},
		"nothing":          {archive(t), ""},
		"an absolute name": {archive(t, entry("/a", file, "", 1)), `"/a" is not a name inside the tree`},
		"a name that goes up": {archive(t, entry("../a", file, "", 1)),
			`"../a" is not a name inside the tree`},
		"the tree itself": {archive(t, entry("./", dir, "", 0)), `"." is not a name inside the tree`},
		"no folder":       {archive(t, entry("d/a", file, "", 1)), `"d/a" does not follow its folder`},
		"a folder of a file": {archive(t, entry("d", file, "", 0), entry("d/a", file, "", 1)),
			`"d/a" does not follow its folder`},
		"a folder in other case": {archive(t, entry("D/", dir, "", 0), entry("d/a", file, "", 1)),
			`"d/a" does not follow its folder`},
		"through a link": {archive(t, entry("d/", dir, "", 0), link("l", "d"), entry("l/a", file, "", 1)),
			`"l/a" does not follow its folder`},
		"twice": {archive(t, entry("a", file, "", 1), entry("a", file, "", 1)), `"a" is there twice`},
		"in two cases": {archive(t, entry("a", file, "", 1), entry("A", file, "", 1)),
			`"a" and "A" differ only in case`},
		"a link out":         {archive(t, link("l", "..")), `the link "l" leads out of the tree, to ".."`},
		"a link to the root": {archive(t, link("l", "/")), `the link "l" leads out of the tree, to "/"`},
		"a link to nothing":  {archive(t, link("l", "")), `the link "l" leads nowhere`},
		"a link that turns": {archive(t, entry("d/", dir, "", 0), link("d/l", "x/../../../y")),
			`the link "d/l" leads out of the tree, to "x/../../../y"`},
		"a hard link": {archive(t, entry("a", file, "", 1), entry("b", tar.TypeLink, "a", 0)),
			`"b" is neither file, folder nor link`},
		"a device":       {archive(t, entry("d", tar.TypeChar, "", 0)), `"d" is neither file, folder nor link`},
		"a block device": {archive(t, entry("d", tar.TypeBlock, "", 0)), `"d" is neither file, folder nor link`},
		"a pipe":         {archive(t, entry("p", tar.TypeFifo, "", 0)), `"p" is neither file, folder nor link`},
		"too deep": {archive(t, entry(strings.Repeat("a/", 200)+"a", file, "", 1)),
			`"` + strings.Repeat("a/", 100) + `" is not a name inside the tree`},
		"a long name": {archive(t, entry(strings.Repeat("a", 256), file, "", 1)),
			`"` + strings.Repeat("a", 200) + `" is not a name inside the tree`},
		"a huge file": {archive(t, entry("a", file, "", 1<<62)),
			`"a" has a size of 4611686018427387904 bytes, the files of a tree have at most 16 GiB`},
		"much in all":  {archive(t, entry("a", file, "", 0), entry("b", file, "", 16<<30)), "it ends within a file"},
		"no archive":   {[]byte(strings.Repeat("x", 1024)), "it is not a tar archive: archive/tar: invalid tar header"},
		"bytes behind": {append(bytes.Clone(good), 'x'), "bytes follow its end"},
	} {
		parent := t.TempDir()
		must(t, os.Mkdir(filepath.Join(parent, "tree"), 0o700))
		root, err := os.OpenRoot(filepath.Join(parent, "tree"))
		must(t, err)
		err = tree.Unpack(bytes.NewReader(c.raw), root)
		root.Close()
		beside, _ := os.ReadDir(parent)
		if got := fmt.Sprint(err); !(err == nil && c.want == "") && (c.want == "" || !strings.Contains(got, c.want) ||
			refusal.Of(err) != refusal.BadTree) || len(beside) != 1 {
			t.Errorf("%s: got %v, want %s; beside the tree: %v", name, err, c.want, beside)
		}
		checked := tree.Check(bytes.NewReader(c.raw), int64(len(c.raw)))
		if (checked == nil) != (c.want == "") {
			t.Errorf("%s: checked: %v", name, checked)
		}
	}
}

// endless is an archive with as many entries as are read of it.
type endless struct{ next, read int }

func (e *endless) Read(p []byte) (int, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for b.Len() < len(p) {
		h := entry(fmt.Sprint(e.next), tar.TypeReg, "", 0)
		w.WriteHeader(&h)
		e.next++
	}
	n := copy(p, b.Bytes())
	e.next -= (b.Len() - n) / 512
	e.read += n
	return n, nil
}

// However many entries there are, no more are read than a tree may have.
func TestEntriesAreBounded(t *testing.T) {
	e := &endless{}
	err := tree.Read(e, func(tree.Entry, io.Reader) error { return nil })
	if refusal.Of(err) != refusal.BadTree || e.next > 2*tree.MaxEntries {
		t.Errorf("after %d entries: %v", e.next, err)
	}
}

// An error of the reader is not one of the tree.
func TestReadErrors(t *testing.T) {
	raw := archive(t, entry("a", tar.TypeReg, "", 1000))
	for at := 0; at < len(raw); at += 100 {
		failing := io.MultiReader(bytes.NewReader(raw[:at]), failure{})
		if err := tree.Unpack(failing, folder(t)); !errors.Is(err, errFails) || refusal.Of(err) == refusal.BadTree {
			t.Fatalf("after %d bytes: %v", at, err)
		}
	}
}

var errFails = errors.New("the disk fails")

type failure struct{}

func (failure) Read([]byte) (int, error) { return 0, errFails }

// Whatever the bytes are, reading them ends without a panic, and what is a tree has only names inside.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		f.Fatal(err)
	}
	defer root.Close()
	root.WriteFile("a", bytes.Repeat([]byte{1}, 70<<10), 0o600)
	root.Mkdir("d", 0o700)
	root.Symlink("../a", "d/l")
	sparse, _ := root.Create("sparse")
	sparse.WriteAt([]byte("x"), 1<<20)
	sparse.Close()
	var b bytes.Buffer
	if err := tree.Pack(&b, root); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := tree.Read(bytes.NewReader(raw), func(e tree.Entry, content io.Reader) error {
			if !fs.ValidPath(e.Name) || e.Size < 0 || e.Size > tree.MaxSize {
				t.Errorf("passed on %+v", e)
			}
			if e.Size < 1<<20 {
				n, err := io.Copy(io.Discard, content)
				if err == nil && n != e.Size {
					t.Errorf("%s has %d bytes, announced were %d", e.Name, n, e.Size)
				}
				return err
			}
			return nil
		})
		if (err == nil) != (tree.Check(bytes.NewReader(raw), int64(len(raw))) == nil) &&
			refusal.Of(err) != refusal.BadTree {
			t.Errorf("read %v, checked otherwise", err)
		}
	})
}
