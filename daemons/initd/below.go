package initd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"nexus/daemons/plat"
	"nexus/libupdates/durable"
)

// openNamed opens a folder that an operator named with a flag, and makes it if it is missing. Links on the way are
// followed. It must belong to this user or to that other one; if it is ours, missing owner rights are restored.
func (f *tree) openNamed(path, flag string, perm fs.FileMode, other uint32) (*os.File, error) {
	another := "name another folder with " + flag
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return nil, cannotUse(path, "it is a link that leads nowhere", another)
		}
		if err := os.MkdirAll(path, perm); err != nil {
			return nil, cannotUse(path, plainly(err), another)
		}
		info, err = os.Stat(path)
	}
	switch {
	case err != nil:
		return nil, cannotUse(path, plainly(err), another)
	case !info.IsDir():
		return nil, cannotUse(path, "it is "+durable.KindName(info.Mode())+", not a folder", another)
	}
	if err := f.checkNamed(path, info, other); err != nil {
		return nil, err
	}
	return plat.OpenFolder(path)
}

// checkNamed checks the owner of a folder that an operator named, and whether this user may use it.
func (f *tree) checkNamed(path string, info fs.FileInfo, other uint32) error {
	owner := info.Sys().(*syscall.Stat_t).Uid
	if err := checkOwner(path, owner, other); err != nil {
		return err
	}
	self := uint32(os.Geteuid())
	if mode := info.Mode().Perm(); owner == self && mode&0o700 != 0o700 {
		f.say("%s had mode %03o", path, mode)
		if err := os.Chmod(path, mode|0o700); err != nil {
			return cannotUse(path, plainly(err), "see to its mode")
		}
	}
	if err := plat.MayUse(path); err != nil {
		if err := checkOwner(path, owner, self); err != nil {
			return err
		}
		return cannotUse(path, plainly(err), "see to its mode")
	}
	return nil
}

// parent opens the folder that contains a name, without following links.
func (f *tree) parent(name string) (dir *os.File, base string, err error) {
	above, base := filepath.Split(name)
	dir, err = f.below(above)
	return dir, base, err
}

// below opens a folder below this one, by a relative path.
func (f *tree) below(path string) (*os.File, error) {
	dir, err := plat.OpenFolderAt(f.dir, ".")
	for _, name := range parts(path) {
		if err != nil {
			break
		}
		var next *os.File
		next, err = plat.OpenFolderAt(dir, name)
		dir.Close()
		dir = next
	}
	if err != nil {
		return nil, err
	}
	return dir, nil
}

// parts returns the elements of a relative path.
func parts(path string) []string {
	if path = filepath.Clean(path); path != "." {
		return strings.Split(path, string(filepath.Separator))
	}
	return nil
}

// inside returns the path relative to a folder, and false if it is not below that folder.
func inside(dir, path string) (string, bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	way, err := filepath.Rel(dir, path)
	return way, err == nil && filepath.IsLocal(way) && way != "."
}
