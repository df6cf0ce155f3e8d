package durable

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// What is written to a file system in memory goes through the cache, which it is, whatever its kernel says.
func TestMemoryIsNotWrittenDirectly(t *testing.T) {
	const memory = "/dev/shm"
	var system syscall.Statfs_t
	if err := syscall.Statfs(memory, &system); err != nil || system.Type != tmpfsMagic {
		t.Skipf("no tmpfs at %s: %v", memory, err)
	}
	dir, err := os.MkdirTemp(memory, "nexus-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(dir)
	opened, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	f := &osFile{f: opened, name: "file"}
	defer f.Close()
	block := make([]byte, 2<<20)
	from := -int(uintptr(unsafe.Pointer(&block[0]))) & (directBlock - 1)
	if n, err := f.Write(block[from:][:1<<20]); n != 1<<20 || err != nil || f.direct || !f.indirect {
		t.Errorf("wrote %d bytes, %v; direct: %v", n, err, f.direct)
	}
}
