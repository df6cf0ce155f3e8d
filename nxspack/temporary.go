package nxspack

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// temporaryPattern is the name of what is not whole yet. No message shows it: the same failure has the same words every
// time, and they are about the name that the operator gave.
const temporaryPattern = ".nxs-pack-*"

// notMade says that nothing could be made beside the target.
func notMade(target string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return &fs.PathError{Op: "create", Path: target, Err: err}
}

// readdressed puts the target in the place of the temporary in a file error. Any other error stays as it is.
func readdressed(err error, temporary, target string) error {
	if link, ok := errors.AsType[*os.LinkError](err); ok && link.Old == temporary {
		return &fs.PathError{Op: link.Op, Path: target, Err: link.Err}
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		if inside, ok := strings.CutPrefix(path.Path, temporary); ok {
			return &fs.PathError{Op: path.Op, Path: target + inside, Err: path.Err}
		}
	}
	return err
}
