package plat

import (
	"io/fs"
	"os"
	"syscall"
)

// sharedMask is the mode mask of a system whose daemons have users of their own: some write what others read.
const sharedMask = 0o022

// ShareFiles has this process and those it starts make files that other users can read, where daemons get users of their own.
func ShareFiles() {
	if look().canSetUser() {
		syscall.Umask(sharedMask)
	}
}

// Own gives a directory and what is in it to a daemon's user, where daemons get one. What belongs to it already is not looked at: from then on
// the user decides what is in there. Links are not followed.
func Own(path string, user uint32) error {
	return eachOwn(path, user, func(root *os.Root, name string, _ fs.FileMode) error {
		return root.Lchown(name, int(user), int(user))
	})
}

// Share lets daemons with users of their own read a directory and what is in it, as long as it is this process's own.
func Share(path string, user uint32) error {
	return eachOwn(path, user, func(root *os.Root, name string, mode fs.FileMode) error {
		switch {
		case mode.IsDir():
			return root.Chmod(name, mode.Perm()|0o555)
		case mode.IsRegular():
			return root.Chmod(name, mode.Perm()|0o444)
		default:
			return nil
		}
	})
}

// eachOwn calls f for what is in a directory that is this process's own, and for itself last: a walk that was cut is made again. It does nothing
// where daemons get no user.
func eachOwn(path string, user uint32, f func(root *os.Root, name string, mode fs.FileMode) error) error {
	if user == 0 || !look().canSetUser() {
		return nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return nil
	}
	type entry struct {
		name string
		mode fs.FileMode
	}
	var entries []entry
	err = fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		entries = append(entries, entry{name, info.Mode()})
		return nil
	})
	for i := len(entries) - 1; i >= 0 && err == nil; i-- {
		err = f(root, entries[i].name, entries[i].mode)
	}
	return err
}
