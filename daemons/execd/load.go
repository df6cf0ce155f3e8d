package execd

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"nexus/capnpgen/bundle"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/wire"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// maxLoading bounds how many payloads are loaded at one time.
const maxLoading = 4

// A bundlemgrd that died needs a moment to publish again. It is asked that often before its silence is an answer.
const (
	askAgainAfter = 100 * time.Millisecond
	askAgainTimes = 100
)

// load brings a payload into sealed memory and checks it there: its digest against the signed one, and that it is a program for this
// machine. A bundlemgrd that dies meanwhile says nothing about the set: its next life is asked, once that has published again.
func (s *supervisor) load(ctx context.Context, spec spec) (*os.File, error) {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	lost := false
	for range askAgainTimes {
		payload, err := s.loadOnce(ctx, spec)
		lost = lost || vat.Disconnected(err)
		if !lost || !vat.Disconnected(err) && !unpublished(err) {
			return payload, err
		}
		select {
		case <-s.host.Clock.After(askAgainAfter):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.loadOnce(ctx, spec)
}

// unpublished tells whether bundlemgrd has not published the bundle, or not yet again.
func unpublished(err error) bool { return refusal.Of(err) == refusal.UnknownBundle }

// loadOnce loads a payload from one life of bundlemgrd.
func (s *supervisor) loadOnce(ctx context.Context, spec spec) (*os.File, error) {
	client, err := s.bundles.Get(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Release()
	answer, release := bundle.BundleMgr(client).OpenPayload(ctx, func(p bundle.BundleMgr_openPayload_Params) error {
		return p.SetName(spec.name)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, wire.Excepted(err)
	}
	hash := sha256.New()
	payload, err := plat.SealedMemory(spec.name, io.TeeReader(&blobReader{ctx: ctx, blob: res.Blob()}, hash), spec.size)
	if err != nil {
		return nil, err
	}
	if nxs.Digest(hash.Sum(nil)) != spec.digest {
		payload.Close()
		return nil, refusal.New(refusal.DigestMismatch, "digest mismatch in %s/payload.elf", spec.name)
	}
	if err := nxb.CheckELF(payload, spec.size, plat.Machine()); err != nil {
		payload.Close()
		return nil, err
	}
	return payload, nil
}

// A blobReader reads a blob from its start.
type blobReader struct {
	ctx    context.Context
	blob   bundle.Blob
	offset uint64
}

func (r *blobReader) Read(b []byte) (int, error) {
	count := uint32(min(len(b), int(bundle.MaxReadBytes)))
	answer, release := r.blob.Read(r.ctx, func(p bundle.Blob_read_Params) error {
		p.SetOffset(r.offset)
		p.SetCount(count)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, fmt.Errorf("cannot read payload: %w", err)
	}
	got, err := res.Bytes()
	if err != nil {
		return 0, fmt.Errorf("cannot read payload: %w", err)
	}
	if len(got) == 0 {
		return 0, io.EOF
	}
	n := copy(b, got)
	r.offset += uint64(n)
	return n, nil
}
