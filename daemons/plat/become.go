package plat

import (
	"fmt"
	"os"
	"syscall"
)

// Become has this process execute a program in its own place, with its environment. It returns only when that failed.
func Become(path string, argv []string) error {
	return fmt.Errorf("cannot execute %s: %w", path, syscall.Exec(path, argv, os.Environ()))
}
