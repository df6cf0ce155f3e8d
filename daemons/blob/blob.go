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
	piece, err := Piece(b.File, b.File.Size(), offset, count)
	if err != nil {
		return err
	}
	return res.SetBytes(piece)
}

// Piece reads at most count bytes, and at most bundle.MaxReadBytes, of a file. It returns none at the end.
func Piece(file io.ReaderAt, size int64, offset uint64, count uint32) ([]byte, error) {
	if offset >= uint64(size) {
		return nil, nil
	}
	piece := make([]byte, min(uint64(count), uint64(bundle.MaxReadBytes), uint64(size)-offset))
	n, err := file.ReadAt(piece, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return piece[:n], nil
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
