package blob_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"nexus/daemons/plat"
	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
)

// On a file system with fs-verity, a file that is enabled is measured by the digest that an index has, keeps its bytes,
// and cannot be opened for writing. On any other, both requests say that there is none, and the file stays as it was.
func TestVerityOfThisMachine(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files, name, text := durable.WithVerity(root, plat.Verity{}), "payload.elf", payload(10_000)
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
		t.Fatal(err)
	}
	enabled := files.EnableVerity(name)
	f, err := files.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum, measured := f.Verity()
	if errors.Is(enabled, durable.ErrNoVerity) {
		t.Log("this file system has no fs-verity")
		if !errors.Is(measured, durable.ErrNoVerity) && !errors.Is(measured, durable.ErrPlain) {
			t.Errorf("measured: %v", measured)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Error(err)
		}
		return
	}
	var tree digest.Tree
	tree.Write(text)
	if enabled != nil || measured != nil || sum != tree.Sum() {
		t.Errorf("enabled: %v, measured: %x, %v; want %x", enabled, sum, measured, tree.Sum())
	}
	if err := files.EnableVerity(name); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	if w, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0); err == nil {
		w.Close()
		t.Error("it can be opened for writing")
	}
}
