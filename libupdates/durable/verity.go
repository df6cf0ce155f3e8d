package durable

import (
	"crypto/sha256"
	"errors"
	"os"
	"syscall"
)

// A Verity is the kernel's fs-verity, by which it verifies every byte of a file when it is read. Its errors are those
// of the system calls.
type Verity interface {
	// Enable has the kernel verify the file from now on: SHA-256, blocks of 4 KiB, no salt. Nobody may have the file
	// open for writing, then or later.
	Enable(f *os.File) error
	// Measure returns the digest by which the kernel verifies the file; zero if that is of another kind.
	Measure(f *os.File) ([sha256.Size]byte, error)
}

var (
	// ErrNoVerity means that the file system, or the kernel, has no fs-verity.
	ErrNoVerity = errors.New("no fs-verity")
	// ErrPlain means that the kernel does not verify a file, although its file system has fs-verity.
	ErrPlain = errors.New("fs-verity is not enabled")
)

// Measure returns the fs-verity digest by which the kernel verifies every read of an open file; zero if it does so by
// one of another kind. It fails with ErrPlain, ErrNoVerity, or another cause.
func Measure(v Verity, f *os.File) ([sha256.Size]byte, error) {
	if v == nil {
		return [sha256.Size]byte{}, ErrNoVerity
	}
	sum, err := v.Measure(f)
	switch {
	case errors.Is(err, syscall.ENODATA):
		err = ErrPlain
	case errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
		err = ErrNoVerity
	}
	return sum, err
}

// enable is idempotent. EINVAL: the blocks of the file system are smaller than those of the digest. ENOPKG: the kernel
// has fs-verity and lacks the hash.
func enable(v Verity, f *os.File) error {
	if v == nil {
		return ErrNoVerity
	}
	err := v.Enable(f)
	for _, lacking := range []syscall.Errno{syscall.ENOTTY, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EINVAL,
		syscall.ENOPKG} {
		if errors.Is(err, lacking) {
			return ErrNoVerity
		}
	}
	if err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	return f.Sync()
}
