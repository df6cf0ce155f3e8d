package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// Staged returns the number of what is staged. Whoever has such a number may switch to exactly that set, or discard it.
func (e *Engine) Staged() (serial uint64, err error) {
	r := e.Record()
	if r.Staged.IsEmpty() {
		return 0, refusal.New(refusal.NothingStaged, "nothing is staged")
	}
	return r.StageSerial, nil
}

// A StagedSet describes what is staged.
type StagedSet struct {
	Slot    bootctl.Slot // that a switch would put it into
	Version string
	Digest  nxs.Digest
	Bundles []nxs.Entry
}

// Describe describes a stage. Refused as Stale unless it is what is staged now.
func (e *Engine) Describe(serial uint64) (StagedSet, error) {
	r := e.Record()
	if r.Staged.IsEmpty() || r.StageSerial != serial {
		return StagedSet{}, refusal.New(refusal.Stale, "the set is no longer staged")
	}
	c := r.Staged
	return StagedSet{r.Standby(), c.Version, nxs.Digest(c.Digest), e.content(bootctl.Staged).Bundles}, nil
}

// Switch puts the staged set into the standby slot, on trial, once it is clear that it is whole and could run here at
// all: only then is the set in that slot given up.
func (e *Engine) Switch(ctx context.Context, serial uint64) error {
	e.switches.Lock()
	defer e.switches.Unlock()
	err := e.agree()
	r := e.Record()
	what := aboutStaged(r)
	if err == nil {
		err = e.runnable(ctx, r, serial)
	}
	if err == nil {
		// a damaged way back is reported before the trial; a new set is what repairs it
		_, err = e.inspect(ctx, r.Active)
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

// runnable refuses a staged set that is damaged or could not be published, and any on a machine that can start no
// service: a trial would say nothing about it. Every byte of the set is read once more: what it takes the place of
// cannot come back. What is stale is left to the state machine to refuse.
func (e *Engine) runnable(ctx context.Context, r bootctl.Record, serial uint64) error {
	if r.Staged.IsEmpty() || r.StageSerial != serial {
		return nil
	}
	if e.cfg.Hindered != "" {
		return refusal.New(refusal.Hindered, "no service can be started on this machine: %s", e.cfg.Hindered)
	}
	set := nxs.Digest(r.Staged.Digest)
	found := e.store.Verify(bootctl.Staged, set, e.verifyBy(ctx))
	if found == nil {
		found = e.cfg.Publisher.Check(ctx, bootctl.Staged, set)
	}
	if found == nil {
		return nil
	}
	return e.unfit(serial, found)
}

// unfit says why a set is not switched to, unless it has been staged over, or dropped, while it was checked. A damaged
// set is no longer staged.
func (e *Engine) unfit(serial uint64, found error) error {
	if e.isStaging() { // before the look at the record, which a stage changes last
		return refusal.New(refusal.StageInProgress, "a stage is under way")
	}
	if r := e.Record(); r.Staged.IsEmpty() || r.StageSerial != serial {
		return nil // as stale refused by the state machine
	}
	if reason, damaged := slots.DamageOf(found); damaged {
		if _, err := e.damaged(bootctl.Staged, reason, found); err != nil {
			return err
		}
	}
	return found
}

// Discard drops the staged set. It leaves the record first: a record must never name a set that is not there. Discard
// holds the place of a stage, so that none begins in between.
func (e *Engine) Discard(serial uint64) error {
	r := e.Record()
	what := aboutStaged(r)
	err := e.takePlace()
	if err == nil {
		defer e.end()
		err = e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(serial) })
	}
	if err == nil {
		err = e.unstage()
	}
	e.audit("discard", what, err)
	return err
}

func (e *Engine) unstage() error {
	err := e.store.Empty(bootctl.Staged)
	e.touched()
	if err != nil {
		return err
	}
	return e.readSlots()
}

// aboutStaged begins the audit record of a step that concerns the staged set, by the slot that it is for.
func aboutStaged(r bootctl.Record) Audit {
	if r.Staged.IsEmpty() {
		return Audit{}
	}
	what := about(r, bootctl.Staged)
	what.Slot = r.Standby()
	return what
}
