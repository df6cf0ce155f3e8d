package bundlemgrd

import (
	"context"
	"errors"
	"io"

	"nexus/capnpgen/bundle"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// A blob is one file of a publication, held open: it stays what it is when another set is published and this one removed.
type blob struct {
	file   durable.ReadFile
	digest nxs.Digest // as the signed index has it; whoever runs the bytes checks them
	quota  *quota
}

// An opener opens one of a bundle's files.
type opener func(*publication, published) (*blob, error)

func payloadOf(p *publication, b published) (*blob, error) {
	file, err := p.set.OpenPayload(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &blob{file: file, digest: b.Entry.PayloadSHA256}, nil
}

func manifestOf(p *publication, b published) (*blob, error) {
	file, err := p.set.OpenManifest(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &blob{file: file, digest: b.Entry.ManifestSHA256}, nil
}

// Read returns a piece of the file, empty at its end.
func (b *blob) Read(_ context.Context, call bundle.Blob_read) error {
	offset, count := call.Args().Offset(), call.Args().Count()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	size := uint64(b.file.Size())
	if offset >= size {
		return nil
	}
	piece := make([]byte, min(uint64(count), uint64(bundle.MaxReadBytes), size-offset))
	n, err := b.file.ReadAt(piece, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return res.SetBytes(piece[:n])
}

// Size returns the size and the signed digest.
func (b *blob) Size(_ context.Context, call bundle.Blob_size) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetBytes(uint64(b.file.Size()))
	return res.SetSha256(b.digest[:])
}

// Shutdown runs when the last holder let the blob go, or died.
func (b *blob) Shutdown() {
	b.file.Close()
	b.quota.give()
}
