package durable

import (
	"fmt"
	"io/fs"
	"strings"
)

// asideInfix stands between the name that something had and its number, once it was set aside.
const asideInfix = ".set-aside."

// maxAside bounds what is kept of the things that were in the way at one name.
const maxAside = 4

// SetAside frees a name for what belongs there: whatever has it is renamed to NAME.set-aside.1, or the next free number
// up to 4, after which the last one is replaced. A FIFO, a socket or a device that may not be renamed is removed, for
// it holds nothing. It returns the new name, "" for what was removed.
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

// Aside tells whether a name is one that SetAside gave, and which name it freed.
func Aside(name string) (was string, is bool) {
	was, number, found := strings.Cut(name, asideInfix)
	return was, found && len(number) == 1 && number[0] >= '1' && number[0] <= '0'+maxAside
}

// KindName is the kind of a file in words.
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
