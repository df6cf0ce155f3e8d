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

// A restarted bundlemgrd needs a moment to publish again. It is asked this often before the bundle counts as
// unpublished.
const (
	askAgainAfter = 100 * time.Millisecond
	askAgainTimes = 100
)

// load copies a payload into sealed memory and checks it there: that its digest is the signed one, and that it is a
// program for this machine. If bundlemgrd dies meanwhile, that says nothing about the set: the next instance is asked,
// once it has published again.
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

// unpublished reports whether bundlemgrd has not published the bundle, or not again yet.
func unpublished(err error) bool { return refusal.Of(err) == refusal.UnknownBundle }

// loadOnce loads a payload from one instance of bundlemgrd.
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
