package durable_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"nexus/libupdates/durable"
)

// A verityOf is a kernel that answers with errors.
type verityOf struct{ enable, measure error }

func (v verityOf) Enable(*os.File) error { return v.enable }

func (v verityOf) Measure(*os.File) ([sha256.Size]byte, error) {
	return [sha256.Size]byte{1}, v.measure
}

// Only a machine that lacks fs-verity counts as one that does. Whatever else fails is a failure, or payloads would be
// read without anybody knowing why.
func TestWhatCountsAsNoVerity(t *testing.T) {
	for _, c := range []struct {
		errno            syscall.Errno
		enabled, measure error
	}{
		{0, nil, nil},
		{syscall.EEXIST, nil, syscall.EEXIST},
		{syscall.ENODATA, syscall.ENODATA, durable.ErrPlain},
		{syscall.ENOTTY, durable.ErrNoVerity, durable.ErrNoVerity},
		{syscall.EOPNOTSUPP, durable.ErrNoVerity, durable.ErrNoVerity},
		{syscall.ENOSYS, durable.ErrNoVerity, durable.ErrNoVerity},
		{syscall.EINVAL, durable.ErrNoVerity, syscall.EINVAL},
		{syscall.ENOPKG, durable.ErrNoVerity, syscall.ENOPKG},
		{syscall.EIO, syscall.EIO, syscall.EIO},
		{syscall.ETXTBSY, syscall.ETXTBSY, syscall.ETXTBSY},
		{syscall.EACCES, os.ErrPermission, os.ErrPermission},
	} {
		t.Run(fmt.Sprint(c.errno), func(t *testing.T) {
			root, err := os.OpenRoot(t.TempDir())
			if err == nil {
				defer root.Close()
				err = root.WriteFile("payload.elf", []byte("payload"), 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			kernel := verityOf{}
			if c.errno != 0 {
				kernel = verityOf{c.errno, c.errno}
			}
			files := durable.WithVerity(root, kernel)
			if err := files.EnableVerity("payload.elf"); !errors.Is(err, c.enabled) || (err == nil) != (c.enabled == nil) {
				t.Errorf("enabled: %v, want %v", err, c.enabled)
			}
			f, err := files.Open("payload.elf")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Verity(); !errors.Is(err, c.measure) || (err == nil) != (c.measure == nil) {
				t.Errorf("measured: %v, want %v", err, c.measure)
			}
		})
	}
}
