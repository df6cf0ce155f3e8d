package durable

import "os"

// Reserve reserves space for the first size bytes of a file and makes it that long. Where the file system has no such
// thing it does nothing. Its error is the system's own.
func Reserve(f *os.File, size int64) error {
	if size <= 0 {
		return nil
	}
	return allocate(f, size)
}
