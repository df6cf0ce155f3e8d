package initd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"nexus/daemons/plat"
)

// cannotUse ends a start: something that the system needs is not usable as it is. Whoever reads it can do what it says.
func cannotUse(path, cause, remedy string) error {
	return fmt.Errorf("cannot use %s: %s: %s", path, cause, remedy)
}

// cannotLook is cannotUse for something that cannot even be looked at.
func cannotLook(path string, err error) error {
	remedy := "see to its disk"
	if errors.Is(err, syscall.EMFILE) {
		remedy = "raise the limit of open files (ulimit -n)"
	}
	return cannotUse(path, plainly(err), remedy)
}

// cannotOpen is the error of something that is needed and closed to this user.
func (f *tree) cannotOpen(name string, err error) error {
	cause := plainly(err)
	if object, lookErr := plat.Look(f.dir, name); lookErr == nil && errors.Is(err, fs.ErrPermission) {
		cause = fmt.Sprintf("it belongs to user %d, and this system runs as user %d", object.Owner, os.Geteuid())
	}
	return cannotUse(f.at(name), cause, "start the system as its owner, or remove it")
}

// checkOwner wants something to be this user's, or that other one's which may have it, too. What is a stranger's he may
// change at any moment.
func checkOwner(path string, owner, other uint32) error {
	self := uint32(os.Geteuid())
	if owner == self || owner == other {
		return nil
	}
	return cannotUse(path, fmt.Sprintf("it belongs to user %d, and this system runs as user %d", owner, self),
		fmt.Sprintf("start it as that user, or give it to this one (chown -R %d %s)", self, path))
}

// plainly is the innermost cause of an error about a file: the message names the file already.
func plainly(err error) string {
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &path):
		return path.Err.Error()
	default:
		return err.Error()
	}
}
