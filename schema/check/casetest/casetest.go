// Package casetest loads the test cases of the checks: txtar files with schemas, the compiler's output for them, and
// the expected result of a check. It is for tests only. Cases run without the compiler. If it is installed, they check
// that the compiled parts are current, and -update compiles them again.
package casetest

import (
	"encoding/base64"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"nexus/schema/check/source"
	"nexus/schema/check/surface"
)

// A Case is one file of cases.
type Case struct {
	Name    string
	path    string
	archive *txtar.Archive
}

// Load loads all cases in a folder. With -update it first compiles their schemas: each folder in a case, such as old/
// and new/, becomes one request.
func Load(t *testing.T, dir string) []*Case {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("cannot find cases in %s: %v", dir, err)
	}
	var cases []*Case
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c := &Case{Name: strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, archive: archive}
		if Updating() {
			c.compileAll(t)
		}
		cases = append(cases, c)
	}
	return cases
}

// Updating reports whether the test was started with -update.
func Updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// Section returns a section's text, or "" if there is none.
func (c *Case) Section(name string) string {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// Surface reads the request that was compiled from a folder of the case.
func (c *Case) Surface(t *testing.T, folder string, opts surface.Options) *surface.Surface {
	t.Helper()
	s, err := surface.Read(c.Request(t, folder), opts)
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	return s
}

// Request returns the request that was compiled from a folder of the case.
func (c *Case) Request(t *testing.T, folder string) []byte {
	t.Helper()
	text := strings.ReplaceAll(c.Section(folder+".request"), "\n", "")
	if text == "" {
		t.Fatalf("%s has no %s.request: run the test with -update", c.path, folder)
	}
	request, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// Want compares the result of a check with a section of the case. With -update it writes the result to that section.
func (c *Case) Want(t *testing.T, section, got string) {
	t.Helper()
	if Updating() {
		c.set(t, section, got)
	}
	if want := c.Section(section); got != want {
		t.Errorf("%s says\n%s\nwant\n%s", section, got, want)
	}
}

// CheckCurrent compiles the schemas again and compares the result with the case.
func (c *Case) CheckCurrent(t *testing.T) {
	t.Helper()
	for _, folder := range c.folders() {
		again, err := surface.Read(c.compile(t, folder), surface.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if held := c.Surface(t, folder, surface.Options{}); !reflect.DeepEqual(held, again) {
			t.Errorf("%s: %s.request is not what the compiler makes of %s/: run the test with -update", c.path, folder,
				folder)
		}
	}
}

// NeedCompiler skips the test, with a message, if the compiler is not installed.
func NeedCompiler(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("capnp"); err != nil {
		t.Skip("capnp is not installed: the compiled requests in testdata are taken as they are")
	}
}

// LibrarySchemas returns the folder of the schemas that come with the RPC library. The compiler's own schemas are in
// another package than the compiler, which may not be installed.
func LibrarySchemas(t *testing.T) string {
	t.Helper()
	library, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "capnproto.org/go/capnp/v3").Output()
	if err != nil {
		t.Fatalf("cannot find the RPC library: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(library)), "std")
}

func (c *Case) folders() []string {
	var all []string
	for _, f := range c.archive.Files {
		folder, _, nested := strings.Cut(f.Name, "/")
		if nested && (len(all) == 0 || all[len(all)-1] != folder) {
			all = append(all, folder)
		}
	}
	return all
}

func (c *Case) compileAll(t *testing.T) {
	t.Helper()
	for _, folder := range c.folders() {
		text := base64.StdEncoding.EncodeToString(c.compile(t, folder))
		var lines strings.Builder
		for len(text) > 120 {
			lines.WriteString(text[:120] + "\n")
			text = text[120:]
		}
		c.set(t, folder+".request", lines.String()+text+"\n")
	}
}

func (c *Case) compile(t *testing.T, folder string) []byte {
	t.Helper()
	work := t.TempDir()
	for _, f := range c.archive.Files {
		if !strings.HasPrefix(f.Name, folder+"/") {
			continue
		}
		path := filepath.Join(work, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	request, err := source.Compile(source.Input{
		Paths: []string{filepath.Join(work, folder)}, Imports: []string{LibrarySchemas(t)}, NoStandardImport: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// set sets a section of the case and writes its file.
func (c *Case) set(t *testing.T, name, text string) {
	t.Helper()
	found := false
	for i := range c.archive.Files {
		if c.archive.Files[i].Name == name {
			c.archive.Files[i].Data, found = []byte(text), true
		}
	}
	if !found {
		c.archive.Files = append(c.archive.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
