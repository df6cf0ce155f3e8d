package execd

import (
	"context"
	"os"
	"time"

	"nexus/capnpgen/bundle"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// maxLoading bounds how many payloads are loaded at one time.
const maxLoading = 4

// payloads are those of the published bundles, as bundlemgrd hands them over.
type payloads struct {
	bundles *vat.Holding
	clock   plat.Clock
	verity  durable.Verity // the kernel's, by which it verifies payloads
	loading tokens         // one for each that is being loaded
}

func newPayloads(bundles *vat.Holding, clock plat.Clock, verity durable.Verity) *payloads {
	return &payloads{bundles: bundles, clock: clock, verity: verity, loading: make(tokens, maxLoading)}
}

// A restarted bundlemgrd needs a moment to publish again. It is asked this often before the bundle counts as
// unpublished.
const (
	askAgainAfter = 100 * time.Millisecond
	askAgainTimes = 100
)

// load returns a payload whose bytes cannot change: the file itself, if the kernel verifies every read of it, and a
// copy in sealed memory otherwise. Its digest is the signed one, and it is a program for this machine. If bundlemgrd
// dies meanwhile, that says nothing about the set: the next instance is asked, once it has published again.
func (p *payloads) load(ctx context.Context, spec spec) (program *os.File, err error) {
	err = p.read(ctx, spec.name, func(file *os.File, read blob.ReadFunc) (err error) {
		if file != nil {
			program, err = blob.Kept(spec.entry(), p.verity, file)
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
func (p *payloads) read(ctx context.Context, bundle string, use use) error {
	done, err := p.loading.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	lost := false
	for range askAgainTimes {
		err := p.readOnce(ctx, bundle, use)
		lost = lost || vat.Disconnected(err)
		if !lost || !vat.Disconnected(err) && !unpublished(err) {
			return err
		}
		select {
		case <-p.clock.After(askAgainAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.readOnce(ctx, bundle, use)
}

// unpublished reports whether bundlemgrd has not published the bundle, or not again yet.
func unpublished(err error) bool { return refusal.Of(err) == refusal.UnknownBundle }

// readOnce reads a payload from one instance of bundlemgrd: from the file, if that is handed over, and by calls
// otherwise.
func (p *payloads) readOnce(ctx context.Context, name string, use use) error {
	client, err := p.bundles.Get(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	mgr := bundle.BundleMgr(client)
	file, _, err := blob.Hand(ctx, p.bundles, mgr, name)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
		return use(file, blob.FromFile(file))
	}
	answer, release := mgr.OpenPayload(ctx, func(q bundle.BundleMgr_openPayload_Params) error {
		return q.SetName(name)
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
