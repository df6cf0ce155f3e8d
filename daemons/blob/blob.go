package blob

import (
	"context"
	"errors"
	"io"

	"capnproto.org/go/capnp/v3"

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
	return Piece(b.File, b.File.Size(), offset, count, func(size int) ([]byte, error) {
		return Room(capnp.Struct(res), size)
	})
}

// Piece reads at most count bytes, and at most bundle.MaxReadBytes, of a file into the room that it asks for. There are
// none at the end.
func Piece(file io.ReaderAt, size int64, offset uint64, count uint32, room func(size int) ([]byte, error)) error {
	left := uint64(size) - min(offset, uint64(size))
	piece, err := room(int(min(uint64(count), uint64(bundle.MaxReadBytes), left)))
	if err != nil || len(piece) == 0 {
		return err
	}
	_, err = file.ReadAt(piece, int64(offset))
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // it has been truncated
	}
	return err
}

// Room makes the first field of results, which are bytes, and returns its memory: what is read into it is already in
// the message.
func Room(results capnp.Struct, size int) ([]byte, error) {
	list, err := capnp.NewUInt8List(results.Segment(), int32(size))
	if err != nil {
		return nil, err
	}
	return list.ToPtr().Data(), results.SetPtr(0, list.ToPtr())
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
