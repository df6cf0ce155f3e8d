package nxspack

import (
	"context"
	"errors"
	"io"
	"os"

	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
)

// withArchive opens a set and calls use with the file and its size in bytes.
func withArchive(name string, use func(f *os.File, size int64) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	return use(f, info.Size())
}

// inspect reads a set without verifying trust in its publisher.
func inspect(ctx context.Context, name string) (found *nxs.Inspection, size int64, err error) {
	err = withArchive(name, func(f *os.File, n int64) error {
		size = n
		found, err = nxs.Inspect(ctx, f, n, formatLimits())
		return err
	})
	return found, size, err
}

// verify reads a set and checks it as a device with that SDK, limits and basis does.
func verify(ctx context.Context, name string, limits nxs.Limits, sdk string, by *basis) (head *nxs.Head, err error) {
	err = withArchive(name, func(file *os.File, size int64) error {
		f := nxs.NewFile(file, size, limits, by.verify)
		f.TakeRoots(by.takeRoots)
		if head, err = f.Open(); err != nil {
			return err
		}
		if err := by.admit(head); err != nil {
			return err
		}
		data := map[string]bool{}
		err := f.Copy(ctx, func(b *nxs.Bundle) (nxs.WriteFunc, error) {
			data[b.Manifest.Name] = b.Manifest.IsData()
			return nil, head.Index.CheckDemands(b.Manifest, sdk)
		})
		if err != nil {
			return err
		}
		return policy.CheckData(nxs.Asking(head.Index), func(name string) bool { return data[name] })
	})
	return head, err
}

// read is like verify, but passes the verified head to begin and then every bundle to each. The archive is verified
// only if read returns no error.
func read(ctx context.Context, name string, limits nxs.Limits, by *basis, begin func(*nxs.Head) error,
	each func(*nxs.Bundle) error) (head *nxs.Head, err error) {
	err = withArchive(name, func(f *os.File, size int64) error {
		r := nxs.NewReader(interruptible{ctx, f}, size, limits, by.verify)
		r.TakeRoots(by.takeRoots)
		if head, err = r.Open(); err != nil {
			return err
		}
		if err := begin(head); err != nil {
			return err
		}
		for {
			b, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := each(b); err != nil {
				return err
			}
		}
	})
	return head, err
}

// An interruptible reader fails after the context has ended.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(p)
}
