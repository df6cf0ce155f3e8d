package nxspack

import (
	"os"
	"syscall"
)

// openDirect opens a file for writing that bypasses the page cache.
func openDirect(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|syscall.O_DIRECT, 0)
}
