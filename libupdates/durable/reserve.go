package durable

import "os"

// Reserve reserves space for the first size bytes of a file and makes it that long. If the file system does not support
// it, it does nothing. Errors are those of the system call.
func Reserve(f *os.File, size int64) error {
	if size <= 0 {
		return nil
	}
	return allocate(f, size, longer)
}
