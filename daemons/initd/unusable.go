package initd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"nexus/daemons/plat"
)

// cannotUse returns the error of a start that needs something unusable, with the remedy.
func cannotUse(path, cause, remedy string) error {
	return fmt.Errorf("cannot use %s: %s: %s", path, cause, remedy)
}

// cannotLook is cannotUse for something that cannot even be examined.
func cannotLook(path string, err error) error {
	remedy := "see to its disk"
	if errors.Is(err, syscall.EMFILE) {
		remedy = "raise the limit of open files (ulimit -n)"
	}
	return cannotUse(path, plainly(err), remedy)
}

// cannotOpen is cannotUse for something that this user may not open.
func (f *tree) cannotOpen(name string, err error) error {
	cause := plainly(err)
	if object, lookErr := plat.Look(f.dir, name); lookErr == nil && errors.Is(err, fs.ErrPermission) {
		cause = fmt.Sprintf("it belongs to user %d, and this system runs as user %d", object.Owner, os.Geteuid())
	}
	return cannotUse(f.at(name), cause, "start the system as its owner, or remove it")
}

// checkOwner checks that something belongs to this user, or to the other user who may own it. Any other owner could
// change it at any time.
func checkOwner(path string, owner, other uint32) error {
	self := uint32(os.Geteuid())
	if owner == self || owner == other {
		return nil
	}
	user := "that user"
	if plat.FirstDaemonUser <= owner && owner < plat.FirstPayloadUser { // only a system of root has daemons with users
		user = "root"
	}
	return cannotUse(path, fmt.Sprintf("it belongs to user %d, and this system runs as user %d", owner, self),
		fmt.Sprintf("start it as %s, or give it to this one (chown -R %d %s)", user, self, path))
}

// plainly returns the innermost cause of an error about a file, because the message names the file already.
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
