package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// graph returns a dependency function for these edges. A module with a nil list is built in.
func graph(edges map[string][]string) func(string) ([]string, bool, error) {
	return func(name string) ([]string, bool, error) {
		depends, there := edges[name]
		if !there {
			return nil, false, fmt.Errorf("the kernel has no module %s", name)
		}
		return depends, depends == nil, nil
	}
}

func TestResolve(t *testing.T) {
	none := []string{}
	for _, c := range []struct {
		name   string
		edges  map[string][]string
		wanted []string
		want   []string
		err    string
	}{
		{"built in", map[string][]string{"a": nil}, []string{"a"}, nil, ""},
		{"alone", map[string][]string{"a": none}, []string{"a"}, []string{"a"}, ""},
		{"behind what it needs", map[string][]string{"pci": {"ring", "virtio"}, "virtio": {"ring"}, "ring": none},
			[]string{"pci"},
			[]string{"ring", "virtio", "pci"}, ""},
		{"none twice", map[string][]string{"a": {"c"}, "b": {"c", "a"}, "c": none}, []string{"a", "b", "a"},
			[]string{"c", "a", "b"}, ""},
		{"needs what is built in", map[string][]string{"a": {"b"}, "b": nil}, []string{"a"}, []string{"a"}, ""},
		{"a loop ends", map[string][]string{"a": {"b"}, "b": {"a"}}, []string{"a"}, []string{"b", "a"}, ""},
		{"missing", map[string][]string{}, []string{"a"}, nil, "the kernel has no module a"},
		{"missing further down", map[string][]string{"a": {"b"}}, []string{"a"}, nil,
			"the kernel has no module b (needed by a)"},
	} {
		got, err := resolve(c.wanted, graph(c.edges))
		if !slices.Equal(got, c.want) || (err != nil || c.err != "") && (err == nil || err.Error() != c.err) {
			t.Errorf("%s: got %q, %v, want %q, %s", c.name, got, err, c.want, c.err)
		}
	}
}

func TestModuleTree(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"usr/lib/modules/6.1/modules.builtin":               "kernel/drivers/virtio/virtio-pci.ko\n",
		"usr/lib/modules/6.1/kernel/drivers/net/tun.ko":     "no program",
		"usr/lib/modules/6.1/kernel/drivers/char/a-b.ko.xz": "not compressed",
		"usr/lib/modules/6.1/kernel/notes.txt":              "",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := moduleTree(root)
	if err != nil || len(tree.files) != 2 || tree.files["a_b"] == "" || !tree.builtin["virtio_pci"] {
		t.Fatalf("got %+v, %v", tree, err)
	}
	dependencies := tree.dependencies(t.Context(), tools{})
	if _, builtin, err := dependencies("virtio_pci"); !builtin || err != nil {
		t.Errorf("built in: got %v, %v", builtin, err)
	}
	for name, want := range map[string]string{
		"tun":  "cannot read module tun: ",
		"a_b":  "cannot run xz: ",
		"none": "the kernel has no module none",
	} {
		if _, _, err := dependencies(name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// hint returns the advice that comes with an error.
func hint(err error) string {
	var advice interface{ Hint() string }
	if errors.As(err, &advice) {
		return advice.Hint()
	}
	return ""
}

func TestFindSaysWhatToDo(t *testing.T) {
	_, err := Find(t.TempDir(), "riscv64")
	if err == nil || err.Error() != "cannot find kernel for guest riscv64" ||
		hint(err) != "`make guest-deps GUEST=riscv64` brings it" {
		t.Errorf("got %v, hint: %s", err, hint(err))
	}
	if _, err := Find(t.TempDir(), "vax"); err == nil || err.Error() != `unknown guest "vax": riscv64 or amd64` {
		t.Errorf("got %v", err)
	}
}

// TestHalfACacheIsNone checks that a cache without the package's name, which is written last, holds no kernel.
func TestHalfACacheIsNone(t *testing.T) {
	cache := t.TempDir()
	a, err := archOf("riscv64")
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(cache, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, fileKernel), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(work, filepath.Join(cache, a.name)); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(cache, "riscv64"); hint(err) == "" {
		t.Errorf("got %v", err)
	}
}

// TestACacheWithoutAModuleIsNoticed checks that a kernel is fetched again if it was cached for another list of modules.
func TestACacheWithoutAModuleIsNoticed(t *testing.T) {
	cache := t.TempDir()
	a, err := archOf("amd64")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, a.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{fileKernel: "", filePackage: "linux-image", fileWanted: "virtio_pci\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, lose := range []func() error{func() error { return nil },
		func() error { return os.Remove(filepath.Join(dir, fileWanted)) }} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		_, err := Find(cache, a.name)
		if err == nil || err.Error() != "cannot find all modules for guest amd64" ||
			hint(err) != "`make guest-deps GUEST=amd64` brings it" {
			t.Errorf("got %v, hint: %s", err, hint(err))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, fileWanted), []byte(a.wanted()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(cache, a.name); err != nil && !strings.HasPrefix(err.Error(), "cannot find qemu") {
		t.Errorf("with all modules: %v", err)
	}
}

func TestToolsSayWhatWentWrong(t *testing.T) {
	_, err := tools{}.run(t.Context(), "/", "no-such-program-of-debian")
	if err == nil || err.Error() != "cannot run no-such-program-of-debian: not installed" || hint(err) == "" {
		t.Errorf("got %v, hint: %s", err, hint(err))
	}
	_, err = tools{}.run(t.Context(), "/", "sh", "-c", "echo one; echo two >&2; echo three >&2; exit 4")
	if err == nil || err.Error() != "cannot run sh: exit status 4: two; three; one" {
		t.Errorf("got %v", err)
	}
}
