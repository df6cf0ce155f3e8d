package nxspack

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of the output, whatever the umask: sets and bundles are public.
const (
	modeFile = 0o644
	modeDir  = 0o755
)

// publishFile writes a file completely or not at all: under a temporary name next to the target, synced, then renamed.
// After an error the target is unchanged. Only a regular file is replaced: renaming onto a device, a pipe or a link
// would replace it instead of writing to it.
func publishFile(target string, fill func(f *os.File) error) error {
	if info, err := os.Lstat(target); err == nil && !info.Mode().IsRegular() {
		return errors.New("it exists and is not a regular file")
	}
	f, err := os.CreateTemp(filepath.Dir(target), temporaryPattern)
	if err != nil {
		return notMade(target, err)
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
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

// publishDir creates a folder completely or not at all, like publishFile. It never replaces one.
func publishDir(target string, fill func(dir string) error) error {
	target = filepath.Clean(target)
	if _, err := os.Lstat(target); err == nil {
		return &fs.PathError{Op: "create", Path: target, Err: fs.ErrExist}
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), temporaryPattern)
	if err != nil {
		return notMade(target, err)
	}
	dir = filepath.Clean(dir) // the form in which errors of fill name it
	defer os.RemoveAll(dir)   // finds nothing after the rename
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

// writeFile writes and syncs a new file.
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
