package durable

import (
	"fmt"
	"io/fs"
	"strings"
)

// asideInfix separates a former name and the number in the names that SetAside gives.
const asideInfix = ".set-aside."

// maxAside bounds how many files are kept aside for one name.
const maxAside = 4

// SetAside frees a name that is taken by something else. It renames that to NAME.set-aside.1, or the next free number
// up to 4; if all are taken, it replaces the last one. A FIFO, socket or device that cannot be renamed is removed,
// because it holds no data. SetAside returns the new name, or "" if the file was removed.
func SetAside(fsys FS, name string) (to string, err error) {
	for n := 1; n <= maxAside; n++ {
		to = fmt.Sprint(name, asideInfix, n)
		if _, err := fsys.Kind(to); err != nil {
			break
		}
	}
	kind, err := fsys.Kind(name)
	if err != nil {
		return "", err
	}
	if err := fsys.RemoveAll(to); err != nil {
		return "", err
	}
	err = fsys.Rename(name, to)
	if err != nil && kind&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0 {
		return "", fsys.Remove(name)
	}
	return to, err
}

// Aside reports whether SetAside gave this name, and which name that freed.
func Aside(name string) (was string, is bool) {
	was, number, found := strings.Cut(name, asideInfix)
	return was, found && len(number) == 1 && number[0] >= '1' && number[0] <= '0'+maxAside
}

// KindName returns the kind of a file in words.
func KindName(kind fs.FileMode) string {
	switch {
	case kind&fs.ModeDir != 0:
		return "a folder"
	case kind&fs.ModeSymlink != 0:
		return "a link"
	case kind&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case kind&fs.ModeSocket != 0:
		return "a socket"
	case kind&(fs.ModeDevice|fs.ModeCharDevice) != 0:
		return "a device"
	default:
		return "a file"
	}
}
