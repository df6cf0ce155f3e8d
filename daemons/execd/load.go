package execd

import (
	"context"
	"os"
	"time"

	"nexus/capnpgen/bundle"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
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

// load brings a payload into sealed memory and checks it there: its digest against the signed one, and that it is a
// program for this machine. A bundlemgrd that dies meanwhile says nothing about the set: its next life is asked, once
// that has published again.
func (s *supervisor) load(ctx context.Context, spec spec) (*os.File, error) {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	lost := false
	for range askAgainTimes {
		program, err := s.loadOnce(ctx, spec)
		lost = lost || vat.Disconnected(err)
		if !lost || !vat.Disconnected(err) && !unpublished(err) {
			return program, err
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
		return nil, convert.Excepted(err)
	}
	entry := nxs.Entry{Name: spec.name, PayloadSHA256: spec.digest, PayloadSize: spec.size}
	return blob.Load(ctx, res.Blob(), entry)
}
