package nxspack

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of what the packers leave behind, whatever the umask is: sets and bundles are public.
const (
	modeFile = 0o644
	modeDir  = 0o755
)

// publishFile writes a file whole or not at all: under another name beside the target, synced, then renamed. After an
// error the target is what it was. Only a regular file is replaced: a rename onto a device, a pipe or a link takes its
// place and writes nothing to it.
func publishFile(target string, fill func(f *os.File) error) error {
	if info, err := os.Lstat(target); err == nil && !info.Mode().IsRegular() {
		return errors.New("what is there is no regular file")
	}
	f, err := os.CreateTemp(filepath.Dir(target), temporaryPattern)
	if err != nil {
		return notMade(target, err)
	}
	defer os.Remove(f.Name()) // fails once it has its name
	err = fill(f)
	if err == nil {
		err = f.Chmod(modeFile)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		return readdressed(err, f.Name(), target)
	}
	return syncDir(filepath.Dir(target))
}

// publishDir makes a folder whole or not at all, like publishFile. It never replaces one.
func publishDir(target string, fill func(dir string) error) error {
	target = filepath.Clean(target)
	if _, err := os.Lstat(target); err == nil {
		return &fs.PathError{Op: "create", Path: target, Err: fs.ErrExist}
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), temporaryPattern)
	if err != nil {
		return notMade(target, err)
	}
	dir = filepath.Clean(dir) // as it stands in the errors of what is made in it
	defer os.RemoveAll(dir)   // finds nothing once it has its name
	err = fill(dir)
	if err == nil {
		err = os.Chmod(dir, modeDir)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err == nil {
		err = os.Rename(dir, target)
	}
	if err != nil {
		return readdressed(err, dir, target)
	}
	return syncDir(filepath.Dir(target))
}

// writeFile makes a new file of these bytes and syncs it.
func writeFile(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, modeFile)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(modeFile)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
