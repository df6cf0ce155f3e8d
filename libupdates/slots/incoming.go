package slots

import (
	"context"
	"sync"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// An archive is a set on its way into a slot, however it comes.
type archive interface {
	// open verifies its beginning.
	open() (*nxs.Head, error)
	// deliver verifies the rest, to the end, and gives its keeper what is in it.
	deliver(in *incoming, index nxs.Index, to keeper) error
}

// A keeper takes the bundles of an archive, in their order, each once.
type keeper interface {
	// payload gives the file that is to get the bundle's payload; nil: nobody wants the bytes, but they are verified
	// all the same.
	payload(bundle string) (durable.File, error)
	// manifest keeps the bundle's manifest.
	manifest(*nxs.Bundle) error
}

// asked is an archive of which the owner of the slots has a say in each bundle.
type asked struct {
	archive
	admit func(nxs.Index, nxb.Manifest) error // nil: all are admitted
}

func (a asked) deliver(in *incoming, index nxs.Index, to keeper) error {
	return a.archive.deliver(in, index, choosy{to, index, a.admit})
}

// choosy keeps the bundles that are admitted. At the first one that is not, the archive ends.
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

// nothing keeps nothing.
type nothing struct{}

func (nothing) payload(string) (durable.File, error) { return nil, nil }
func (nothing) manifest(*nxs.Bundle) error           { return nil }

// incoming is how far an archive has come.
type incoming struct {
	ctx  context.Context
	tell func(Progress)

	mu sync.Mutex
	at Progress
}

// ended says why the stage is to end, if it is.
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

// begins notes the bundle that comes now, after so many bytes of the archive. Of several reports the farthest counts.
func (in *incoming) begins(bundle string, done int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.at.Bundle, in.at.DoneBytes = bundle, max(done, in.at.DoneBytes)
	in.report()
}

// came notes how many bytes of the archive have come.
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
