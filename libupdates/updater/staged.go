package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Staged returns the number of what is staged. Whoever has such a number may switch to exactly that set, or discard it.
func (e *Engine) Staged() (serial uint64, err error) {
	r := e.Record()
	if r.Staged == bootctl.None {
		return 0, refusal.New(refusal.NothingStaged, "nothing is staged")
	}
	return r.StageSerial, nil
}

// A StagedSet describes what is staged.
type StagedSet struct {
	Slot    bootctl.Slot
	Version string
	Digest  nxs.Digest
	Bundles []nxs.Entry
}

// Describe describes a stage. Refused as Stale unless it is what is staged now.
func (e *Engine) Describe(serial uint64) (StagedSet, error) {
	r := e.Record()
	if r.Staged == bootctl.None || r.StageSerial != serial {
		return StagedSet{}, refusal.New(refusal.Stale, "the set is no longer staged")
	}
	c := r.Slot(r.Staged)
	return StagedSet{r.Staged, c.Version, nxs.Digest(c.Digest), e.content(r.Staged).Bundles}, nil
}

// Switch puts the staged set on trial, once it is clear that it could run here at all.
func (e *Engine) Switch(ctx context.Context, serial uint64) error {
	r := e.Record()
	what := about(r, r.Staged)
	err := e.runnable(ctx, r, serial)
	if err == nil {
		// a damaged way back is reported before the trial; a new set is what repairs it
		err = e.inspect(ctx, r.Active)
	}
	if err == nil {
		err = e.unlessStaging(func(r bootctl.Record) (bootctl.Record, error) { return r.Switch(serial, e.cfg.Tries) })
	}
	if err == nil {
		e.releasePlace()
	}
	e.audit("switch", what, err)
	return err
}

// runnable refuses a staged set that could not be published, and any on a machine that can start no service: a trial
// would say nothing about it. What is stale is left to the state machine to refuse.
func (e *Engine) runnable(ctx context.Context, r bootctl.Record, serial uint64) error {
	if r.Staged == bootctl.None || r.StageSerial != serial {
		return nil
	}
	if e.cfg.Hindered != "" {
		return refusal.New(refusal.Hindered, "no service can be started on this machine: %s", e.cfg.Hindered)
	}
	return e.cfg.Publisher.Check(ctx, r.Staged, nxs.Digest(r.Slot(r.Staged).Digest))
}

// Discard empties the standby slot. The set leaves the record first: a record must never name a set that is not there.
// Discard holds the place of a stage, so that none fills the slot in between.
func (e *Engine) Discard(serial uint64) error {
	r := e.Record()
	what := about(r, r.Staged)
	err := e.takePlace()
	if err == nil {
		defer e.end()
		err = e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(serial) })
	}
	if err == nil {
		err = e.empty(what.Slot)
	}
	e.audit("discard", what, err)
	return err
}

func (e *Engine) empty(slot bootctl.Slot) error {
	if slot == bootctl.None {
		return refusal.New(refusal.NothingStaged, "nothing is staged")
	}
	err := e.store.Empty(slot)
	e.touched()
	if err != nil {
		return err
	}
	return e.readSlots()
}
