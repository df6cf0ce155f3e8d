package plat_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"nexus/daemons/plat"
)

// objects are things that may have the name of a file or a folder of the system.
func objects() map[string]func(path string) error {
	return map[string]func(string) error{
		"file":         func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"folder":       func(p string) error { return os.Mkdir(p, 0o700) },
		"link":         func(p string) error { return os.Symlink("/etc/hostname", p) },
		"link inside":  func(p string) error { return os.Symlink(".", p) },
		"link nowhere": func(p string) error { return os.Symlink("nowhere", p) },
		"FIFO":         func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"socket":       func(p string) error { return syscall.Mknod(p, syscall.S_IFSOCK|0o600, 0) },
	}
}

func opened(t *testing.T, path string) *os.File {
	t.Helper()
	dir, err := plat.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// Only a folder is opened as a folder and only a file as a file; nothing else is, no link is followed, and nothing is
// waited for.
func TestOpenBeneath(t *testing.T) {
	path := t.TempDir()
	dir := opened(t, path)
	for name, place := range objects() {
		if err := place(filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
		folder, folderErr := plat.OpenFolderAt(dir, name)
		if (folderErr == nil) != (name == "folder") {
			t.Errorf("a %s as a folder: %v", name, folderErr)
		}
		file, fileErr := plat.OpenFileAt(dir, name, 0o600)
		if (fileErr == nil) != (name == "file") {
			t.Errorf("a %s as a file: %v", name, fileErr)
		}
		folder.Close()
		file.Close()
	}
	made, err := plat.OpenFileAt(dir, "made", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	made.Close()
	if _, err := os.Lstat(filepath.Join(path, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made through a link: %v", err)
	}
	for _, name := range []string{"FIFO", "file", "socket", "link nowhere"} {
		if folder, err := plat.OpenFolder(filepath.Join(path, name)); err == nil {
			folder.Close()
			t.Errorf("a %s was opened as a folder that an operator named", name)
		}
	}
}

// An operator's path may lead through a link.
func TestOpenFolderThroughALink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, dir+"/way"); err != nil {
		t.Fatal(err)
	}
	opened(t, dir+"/way")
}

func TestOpenUp(t *testing.T) {
	path := t.TempDir()
	dir := opened(t, path)
	for name, place := range objects() {
		if err := place(filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat("/etc/hostname")
	if err != nil {
		t.Skip("there is no file outside to look at: ", err)
	}
	if err := os.Chmod(filepath.Join(path, "folder"), 0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"folder": true, "file": false, "link": false, "link nowhere": false} {
		if done, err := plat.OpenUp(dir, name, 0o600); err != nil || done != want {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
	if info, err := os.Stat(filepath.Join(path, "folder")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the folder has the mode %v, %v", info, err)
	}
	if after, err := os.Stat("/etc/hostname"); err != nil || after.Mode() != before.Mode() {
		t.Errorf("the mode outside is %v, %v", after, err)
	}
}
