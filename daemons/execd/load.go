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

// mayStart waits until one more program may be started. A program that it replaces runs until its payload is loaded, so
// this bounds what a switch takes of memory besides. The caller calls done when the program runs, or will not.
func (s *supervisor) mayStart(ctx context.Context) (done func(), err error) {
	select {
	case s.starting <- struct{}{}:
		return func() { <-s.starting }, nil
	case <-ctx.Done():
		return func() {}, ctx.Err()
	}
}

// load returns a payload whose bytes cannot change: the file itself, if the kernel verifies every read of it, and a
// copy in sealed memory otherwise. Its digest is the signed one, and it is a program for this machine. If bundlemgrd
// dies meanwhile, that says nothing about the set: the next instance is asked, once it has published again.
func (s *supervisor) load(ctx context.Context, spec spec) (program *os.File, err error) {
	err = s.read(ctx, spec.name, func(file *os.File, read blob.ReadFunc) (err error) {
		if file != nil {
			program, err = blob.Kept(spec.entry(), s.verity, file)
		}
		if program == nil && err == nil {
			program, err = blob.Load(ctx, spec.entry(), read)
		}
		return err
	})
	return program, err
}

// A use is what is done with a payload: with its file, if that was handed over, or by reading it.
type use func(file *os.File, read blob.ReadFunc) error

// read has a payload used. If bundlemgrd dies meanwhile, that is done again.
func (s *supervisor) read(ctx context.Context, bundle string, use use) error {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lost := false
	for range askAgainTimes {
		err := s.readOnce(ctx, bundle, use)
		lost = lost || vat.Disconnected(err)
		if !lost || !vat.Disconnected(err) && !unpublished(err) {
			return err
		}
		select {
		case <-s.host.Clock.After(askAgainAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.readOnce(ctx, bundle, use)
}

// unpublished reports whether bundlemgrd has not published the bundle, or not again yet.
func unpublished(err error) bool { return refusal.Of(err) == refusal.UnknownBundle }

// readOnce reads a payload from one instance of bundlemgrd: from the file, if that is handed over, and by calls
// otherwise.
func (s *supervisor) readOnce(ctx context.Context, name string, use use) error {
	client, err := s.bundles.Get(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	mgr := bundle.BundleMgr(client)
	file, _, err := blob.Hand(ctx, s.bundles, mgr, name)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
		return use(file, blob.FromFile(file))
	}
	answer, release := mgr.OpenPayload(ctx, func(p bundle.BundleMgr_openPayload_Params) error {
		return p.SetName(name)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return convert.Excepted(err)
	}
	return use(nil, blob.FromBlob(ctx, res.Blob()))
}

// entry is what is signed about the payload.
func (s spec) entry() nxs.Entry {
	return nxs.Entry{Name: s.name, PayloadSHA256: s.digest, PayloadVerity: s.verity, PayloadSize: s.size}
}
