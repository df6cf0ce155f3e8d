package slots

import (
	"context"
	"io"
	"sync/atomic"

	"nexus/libupdates/nxs"
)

// A file is an archive with random access: the payloads of a set are verified and written in parallel. A delta is read
// as a stream.
type file struct {
	stream
	set  *nxs.File
	from *counted
}

func newFile(f io.ReaderAt, size int64, limits nxs.Limits, verify nxs.VerifyFunc, patch nxs.PatchFunc) *file {
	from := &counted{file: f, size: size, read: func(int64) {}}
	return &file{stream{patch: patch}, nxs.NewFile(from, size, limits, verify), from}
}

func (f *file) open() (*nxs.Head, error) { return f.opened(f.set.OpenAny()) }

func (f *file) deliver(in *incoming, index nxs.Index, to keeper) error {
	if f.delta != nil {
		return f.stream.deliver(in, index, to)
	}
	if err := in.ended(); err != nil {
		return err
	}
	f.from.read = in.came
	err := f.set.Copy(in.ctx, func(bundle *nxs.Bundle) (nxs.WriteFunc, error) {
		payload, err := to.payload(bundle.Entry.Name)
		if err != nil {
			return nil, err
		}
		in.begins(bundle.Entry.Name, f.from.done.Load())
		if err := to.manifest(bundle); err != nil || payload == nil {
			return nil, err
		}
		return func(p []byte, off int64) error {
			_, err := payload.WriteAt(p, off)
			return err
		}, nil
	})
	if err != nil && context.Cause(in.ctx) != nil {
		return in.ended()
	}
	return err
}

// counted counts the bytes read from a file; every byte is read once.
type counted struct {
	file io.ReaderAt
	size int64
	done atomic.Int64
	read func(done int64)
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.file.ReadAt(p, off)
	c.read(min(c.done.Add(int64(n)), c.size))
	return n, err
}
