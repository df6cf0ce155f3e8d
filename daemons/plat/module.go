package plat

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LoadModule loads a kernel module from its uncompressed file. One that is loaded already is no error.
func LoadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot load module: %w", err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && err != unix.EEXIST {
		return fmt.Errorf("cannot load module %s: %w", path, err)
	}
	return nil
}
