package slots

import (
	"context"
	"sync"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// An archive is a set to be staged or a delta that makes one, whether it comes from a stream or a file.
type archive interface {
	// open verifies index and signature.
	open() (*nxs.Head, error)
	// makings returns how a delta that has been opened makes the payloads of the set; nil for a set, which has them.
	makings() []nxs.Making
	// deliver verifies the rest of the archive and passes its bundles to the keeper.
	deliver(in *incoming, index nxs.Index, to keeper) error
}

// A keeper receives the bundles of an archive, each once and in order.
type keeper interface {
	// payload returns the file for the bundle's payload. If it is nil, the payload is verified but not stored.
	payload(bundle string) (durable.File, error)
	// manifest stores the bundle's manifest.
	manifest(*nxs.Bundle) error
	// held opens a payload that is in a slot and was verified there; it may have changed since. The caller closes it.
	held(nxs.Digest) (durable.ReadFile, error)
}

// asked is an archive whose bundles the owner of the slots may refuse.
type asked struct {
	archive
	admit func(nxs.Index, nxb.Manifest) error // nil admits all bundles
}

func (a asked) deliver(in *incoming, index nxs.Index, to keeper) error {
	return a.archive.deliver(in, index, choosy{to, index, a.admit})
}

// choosy stores the admitted bundles. The first refused one ends the stage.
type choosy struct {
	keeper
	index nxs.Index
	admit func(nxs.Index, nxb.Manifest) error
}

func (c choosy) manifest(bundle *nxs.Bundle) error {
	if c.admit != nil {
		if err := c.admit(c.index, bundle.Manifest); err != nil {
			return err
		}
	}
	return c.keeper.manifest(bundle)
}

// nothing is a keeper that stores nothing.
type nothing struct{}

func (nothing) payload(string) (durable.File, error) { return nil, nil }
func (nothing) manifest(*nxs.Bundle) error           { return nil }

func (nothing) held(sum nxs.Digest) (durable.ReadFile, error) { return nil, missing(sum) }

// incoming is the progress of an archive.
type incoming struct {
	ctx    context.Context
	tell   func(Progress)
	resume bool

	mu sync.Mutex
	at Progress
}

// ended returns why the stage must end, or nil.
func (in *incoming) ended() error {
	cause := context.Cause(in.ctx)
	if cause == nil || refusal.Of(cause) != refusal.IO {
		return cause
	}
	return refusal.New(refusal.Cancelled, "the stage was cancelled: %v", cause)
}

func (in *incoming) enter(p Phase) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.at.Phase = p
	in.report()
}

// begins records that the named bundle starts after done bytes of the archive. Of concurrent reports the furthest
// counts.
func (in *incoming) begins(bundle string, done int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.at.Bundle, in.at.DoneBytes = bundle, max(done, in.at.DoneBytes)
	in.report()
}

// came records how many bytes of the archive have been received.
func (in *incoming) came(done int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.at.DoneBytes = max(done, in.at.DoneBytes)
	in.report()
}

func (in *incoming) report() {
	if in.tell != nil {
		in.tell(in.at)
	}
}
