package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Unpack writes a tree into an empty folder. What was written before it failed stays. Times are not set: that a file is
// new is what servers tell their clients by its time.
func Unpack(r io.Reader, into *os.Root) error {
	buffer := make([]byte, 16*block)
	return Read(r, func(e Entry, content io.Reader) (err error) {
		switch e.Kind {
		case fs.ModeDir:
			err = into.Mkdir(e.Name, 0o755)
		case fs.ModeSymlink:
			err = into.Symlink(e.Target, e.Name)
		default:
			err = unpackFile(e, content, into, buffer)
		}
		if err != nil {
			return fmt.Errorf("cannot unpack %.200q: %w", e.Name, err)
		}
		return nil
	})
}

func unpackFile(e Entry, content io.Reader, into *os.Root, buffer []byte) error {
	mode := fs.FileMode(0o644)
	if e.Executable {
		mode = 0o755
	}
	f, err := into.OpenFile(e.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = scan(content, buffer, func(p []byte, at int64) error {
		_, err := f.WriteAt(p, at)
		return err
	})
	if err == nil {
		err = f.Truncate(e.Size) // it may end with a hole
	}
	return errors.Join(err, f.Close())
}
