package packagefsd

import (
	"context"
	"fmt"
	"os"
	"sync"

	"nexus/capnpgen/bundle"
	"nexus/daemons/blob"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
)

// maxPayloads bounds how many payloads are kept open. Clients beyond it are answered by calls to bundlemgrd.
const maxPayloads = 256

// A payload is the one that a client reads: its file, so that a piece costs no call that carries it. The file stays
// open until the client reads another one, or has gone.
type payload struct {
	quota *vat.Quota // shared by all clients

	mu     sync.Mutex
	file   *os.File // nil: none
	size   int64
	digest nxs.Digest // the signed one
}

// read reads a piece of the payload with this digest, which has this name in the current publication. There is nothing
// to read from if its file is not handed over.
func (p *payload) read(ctx context.Context, bundles *vat.Holding, m bundle.BundleMgr, name string,
	digest nxs.Digest, piece piece) (there bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil || p.digest != digest {
		p.close()
		if err := p.open(ctx, bundles, m, name); p.file == nil || err != nil {
			return false, err
		}
	}
	if err := blob.Piece(p.file, p.size, piece.offset, piece.count, piece.room); err != nil {
		return true, fmt.Errorf("cannot read payload of %s: %w", name, err)
	}
	return true, nil
}

// ahead reads a piece of the payload that is open, and returns it with the digest of that payload. It returns nil if
// none is open, or if reading fails: read then says why.
func (p *payload) ahead(piece piece) (bytes []byte, digest nxs.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil, nxs.Digest{}
	}
	err := blob.Piece(p.file, p.size, piece.offset, piece.count, func(size int) (room []byte, err error) {
		bytes, err = piece.room(size)
		return bytes, err
	})
	if err != nil {
		clear(bytes)
		return nil, nxs.Digest{}
	}
	return bytes, p.digest
}

// open takes the file from bundlemgrd. The digest that it comes with is the one that counts: there may have been a
// publication meanwhile.
func (p *payload) open(ctx context.Context, bundles *vat.Holding, m bundle.BundleMgr, name string) error {
	if p.quota.Take() != nil {
		return nil
	}
	file, digest, err := blob.Hand(ctx, bundles, m, name)
	if file == nil {
		p.quota.Give()
		return err
	}
	p.file, p.digest = file, digest
	info, err := file.Stat()
	if err != nil {
		p.close()
		return err
	}
	p.size = info.Size()
	return nil
}

func (p *payload) close() {
	if p.file != nil {
		p.file.Close()
		p.file = nil
		p.quota.Give()
	}
}
