package nxspack

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// temporaryPattern is the name of incomplete output. Messages never show it: the same failure always gives the same
// text, with the name that the user gave.
const temporaryPattern = ".nxs-pack-*"

// notMade returns the error for a temporary file or folder that could not be created next to the target.
func notMade(target string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return &fs.PathError{Op: "create", Path: target, Err: err}
}

// readdressed replaces the temporary's name by the target's in a file error. Other errors stay as they are.
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
