package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// Staged returns the number of what is staged. Whoever has such a number may switch to exactly that set, or discard it.
func (g *Staging) Staged() (serial uint64, err error) {
	r := g.ledger.Record()
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
func (g *Staging) Describe(serial uint64) (StagedSet, error) {
	r := g.ledger.Record()
	if r.Staged.IsEmpty() || r.StageSerial != serial {
		return StagedSet{}, refusal.New(refusal.Stale, "the set is no longer staged")
	}
	c := r.Staged
	return StagedSet{r.Standby(), c.Version, nxs.Digest(c.Digest), g.slots.content(bootctl.Staged).Bundles}, nil
}

// Switch puts the staged set into the standby slot, on trial, once it is clear that it is whole and could run here at
// all: only then is the set in that slot given up.
func (g *Staging) Switch(ctx context.Context, serial uint64) error {
	g.switches.Lock()
	defer g.switches.Unlock()
	err := g.ledger.agree()
	r := g.ledger.Record()
	what := aboutStaged(r)
	if err == nil {
		err = g.alongside(ctx)
	}
	if err == nil {
		err = g.runnable(ctx, r, serial)
	}
	if err == nil {
		// a damaged way back is reported before the trial; a new set is what repairs it
		_, err = g.inspector.inspect(ctx, r.Active, g.inspector.verify)
	}
	if err == nil {
		err = g.ledger.unlessStaging(func(r bootctl.Record) (bootctl.Record, error) {
			return r.Switch(serial, g.cfg.Tries)
		})
	}
	if err == nil {
		g.place.release()
	}
	g.log.by(ctx).step("switch", what, err)
	return err
}

// alongside refuses a switch to what does not go with other slot pairs, which may have changed since the stage.
func (g *Staging) alongside(ctx context.Context) error {
	if err := g.cfg.busy(); err != nil {
		return err
	}
	staged := g.slots.content(bootctl.Staged)
	return g.cfg.fits(ctx, nxs.Index{SystemVersion: staged.Version, Publisher: staged.Publisher,
		Bundles: staged.Bundles},
		Terms{Older: true})
}

// runnable refuses a staged set that is damaged or could not be published, and any on a machine that can start no
// service: a trial would say nothing about it. Every byte of the set is read once more: what it takes the place of
// cannot come back. What is stale is left to the state machine to refuse.
func (g *Staging) runnable(ctx context.Context, r bootctl.Record, serial uint64) error {
	if r.Staged.IsEmpty() || r.StageSerial != serial {
		return nil
	}
	if g.cfg.Hindered != "" {
		return refusal.New(refusal.Hindered, "no service can be started on this machine: %s", g.cfg.Hindered)
	}
	set := nxs.Digest(r.Staged.Digest)
	found := g.slots.store.Verify(bootctl.Staged, set, g.cfg.Verify.by(ctx))
	if found == nil {
		found = g.cfg.Publisher.Check(ctx, bootctl.Staged, set)
	}
	if found == nil {
		return nil
	}
	return g.unfit(serial, found)
}

// unfit says why a set is not switched to, unless it has been staged over, or dropped, while it was checked. A damaged
// set is no longer staged.
func (g *Staging) unfit(serial uint64, found error) error {
	if g.place.isTaken() { // before the look at the record, which a stage changes last
		return refusal.New(refusal.StageInProgress, "a stage is under way")
	}
	if r := g.ledger.Record(); r.Staged.IsEmpty() || r.StageSerial != serial {
		return nil // as stale refused by the state machine
	}
	if reason, damaged := slots.DamageOf(found); damaged {
		if _, err := g.inspector.damaged(bootctl.Staged, reason, found); err != nil {
			return err
		}
	}
	return found
}

// Discard drops the staged set. It leaves the record first: a record must never name a set that is not there. Discard
// holds the place of a stage, so that none begins in between.
func (g *Staging) Discard(ctx context.Context, serial uint64) error {
	r := g.ledger.Record()
	what := aboutStaged(r)
	err := g.ledger.takePlace()
	if err == nil {
		defer g.place.end()
		err = g.ledger.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(serial) })
	}
	if err == nil {
		err = g.unstage()
	}
	g.log.by(ctx).step("discard", what, err)
	return err
}

func (g *Staging) unstage() error {
	err := g.slots.store.Empty(bootctl.Staged)
	g.slots.touched()
	if err != nil {
		return err
	}
	return g.slots.read()
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
