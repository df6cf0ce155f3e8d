package updatestest

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TempDir makes a folder that is removed at the end of the test, whatever modes the folders below it have by then and
// wherever they were moved to.
func TempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { // before the one of t.TempDir, which fails where it may not look into a folder
		filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
			if entry != nil && entry.IsDir() {
				os.Chmod(path, 0o700)
			}
			return nil
		})
	})
	return dir
}

// A Damage is one way in which a disk, or anyone who can write to it, damages a file.
type Damage struct {
	Name string
	// done is false if the damage does not apply to this file, or changes nothing for this user
	Do func(path string) (done bool, err error)
}

// Damages returns all kinds of damage. Other names of the same file keep their bytes.
func Damages() []Damage {
	return []Damage{
		{"emptied", onBytes(func(raw []byte) []byte { return nil })},
		{"halved", onBytes(func(raw []byte) []byte { return raw[:len(raw)/2] })},
		{"one byte changed", onBytes(func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw })},
		{"longer", onBytes(func(raw []byte) []byte { return append(raw, 0) })},
		{"deleted", instead(func(string) error { return nil })},
		{"a folder", instead(func(path string) error { return os.MkdirAll(filepath.Join(path, "inside"), 0o755) })},
		{"an empty folder", instead(func(path string) error { return os.Mkdir(path, 0o755) })},
		{"a file", instead(func(path string) error { return os.WriteFile(path, []byte("file"), 0o644) })},
		{"a link out", instead(func(path string) error { return os.Symlink("/proc/self", path) })},
		{"a dangling link", instead(func(path string) error { return os.Symlink("nowhere", path) })},
		{"a FIFO", instead(func(path string) error { return syscall.Mkfifo(path, 0o644) })},
		{"mode 000", forbidden},
	}
}

// onBytes changes the bytes of a file.
func onBytes(change func([]byte) []byte) func(string) (bool, error) {
	return func(path string) (bool, error) {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			return false, err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		if err := os.Remove(path); err != nil {
			return false, err
		}
		return true, os.WriteFile(path, change(raw), 0o644)
	}
}

// instead replaces the file by something else.
func instead(put func(string) error) func(string) (bool, error) {
	return func(path string) (bool, error) {
		if err := os.RemoveAll(path); err != nil {
			return false, err
		}
		return true, put(path)
	}
}

// forbidden removes all permissions. That has no effect on root or on links.
func forbidden(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil || os.Geteuid() == 0 || info.Mode()&fs.ModeSymlink != 0 {
		return false, err
	}
	return true, os.Chmod(path, 0)
}
