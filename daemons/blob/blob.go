package blob

import (
	"context"
	"errors"
	"io"

	"nexus/capnpgen/bundle"
	"nexus/libupdates/nxs"
)

// A File is an open file of a fixed size.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// A Blob serves one file of a slot. The file is held open, so it stays available when its set is replaced and removed.
type Blob struct {
	File   File
	Digest nxs.Digest // from the signed index; not checked here, but by the process that loads the bytes
	Closed func()     // called after the file has been closed; may be nil
}

// Read returns a piece of the file. It is empty at the end.
func (b *Blob) Read(_ context.Context, call bundle.Blob_read) error {
	offset, count := call.Args().Offset(), call.Args().Count()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	size := uint64(b.File.Size())
	if offset >= size {
		return nil
	}
	piece := make([]byte, min(uint64(count), uint64(bundle.MaxReadBytes), size-offset))
	n, err := b.File.ReadAt(piece, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return res.SetBytes(piece[:n])
}

// Size returns the size and the signed digest.
func (b *Blob) Size(_ context.Context, call bundle.Blob_size) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetBytes(uint64(b.File.Size()))
	return res.SetSha256(b.Digest[:])
}

// Shutdown runs when the last holder has released the blob or has died.
func (b *Blob) Shutdown() {
	b.File.Close()
	if b.Closed != nil {
		b.Closed()
	}
}
