package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// An Attempt is one start of a slot, and what goes with it.
type Attempt struct {
	bootctl.Attempt
	Health   nxs.Health // what the set asks of its trial
	HandOver HandOver   // the core that has to take over before the set is published
	Set      nxs.Digest // the set in the slot
}

// A Trial begins the attempts of a boot, and takes the verdicts on what runs.
type Trial struct {
	ledger    *ledger
	inspector *inspector
	slots     *inventory
	log       journal
	publisher Publisher
	core      nxs.Digest // of the payload of the core that runs; zero: the core of the image
	tries     uint8      // boot attempts of a set on trial
}

// BootAttempt counts an attempt durably, verifies its slot against the signature, and has it published, unless another
// core has to take over first. Every byte of the slot is read, but for payloads that the kernel verifies at every read.
// The attempt that the core before this one had counted as begun, if it is still the current one, is not counted again.
// A slot in which damage is found is marked, and if that brings the other one back, an attempt for it follows; an
// earlier mark on the other one is checked again first. Refused is why the slot cannot run; err means that not even the
// attempt, or its end, could be recorded.
func (t *Trial) BootAttempt(ctx context.Context, begun uint64) (a Attempt, refused, err error) {
	for {
		a.Attempt, refused, err = t.attempt(ctx, begun)
		a.Health, a.HandOver = t.slots.content(a.Slot).Health, t.handOver(a.Slot)
		a.Set = nxs.Digest(t.ledger.Record().Slot(a.Slot).Digest)
		reason, damaged := slots.DamageOf(refused)
		if err != nil || !damaged {
			return a, refused, err
		}
		if err := t.inspector.acquit(ctx, a.Slot.Other()); err != nil {
			return a, refused, err
		}
		if moved, err := t.inspector.damaged(a.Slot, reason, refused); err != nil || !moved {
			return a, refused, err
		}
	}
}

func (t *Trial) attempt(ctx context.Context, begun uint64) (a bootctl.Attempt, refused, err error) {
	if a, underWay := t.ledger.Record().Attempt(begun); underWay {
		return a, t.runSlot(ctx, a), nil
	}
	var barred error
	if t.ledger.Record().WatchLeft > 0 { // it may be the last one of a watch, and go back
		if barred, err = t.inspector.lookBack(ctx); err != nil {
			return a, nil, err
		}
	}
	err = t.ledger.change(func(r bootctl.Record) (next bootctl.Record, err error) {
		next, a = watchedUnless(barred, r).BootAttempt()
		return next, nil
	})
	if err != nil {
		return a, nil, err
	}
	if a.RolledBack {
		t.log.rollback(t.ledger.Record())
	}
	return a, t.runSlot(ctx, a), nil
}

// watchedUnless is the record without its watch if the set that it would go back to may not run.
func watchedUnless(barred error, r bootctl.Record) bootctl.Record {
	if barred != nil {
		return r.Unwatched()
	}
	return r
}

// runSlot verifies the slot and has it published, if its set may run and the core that runs is the one for it.
func (t *Trial) runSlot(ctx context.Context, a bootctl.Attempt) error {
	if err := t.inspector.measure(ctx, a.Slot); err != nil {
		return err
	}
	if err := t.inspector.mended(a.Slot); err != nil {
		return err
	}
	r := t.ledger.Record()
	if err := r.MayRun(a.Slot); err != nil {
		return err
	}
	if t.handOver(a.Slot) != NoHandOver {
		return nil
	}
	return t.publisher.Publish(ctx, publicationOf(r, a.Slot, a.Boot))
}

func publicationOf(r bootctl.Record, slot bootctl.Slot, boot uint64) Publication {
	return Publication{Slot: slot, Digest: nxs.Digest(r.Slot(slot).Digest), Boot: boot}
}

// Resume has published again what an engine before this one published in this boot: the publisher may have died
// together with it. What no attempt has begun for is not to run, and neither is what another core has to take over for
// first.
func (t *Trial) Resume() {
	r := t.ledger.Record()
	if !r.Begun() || t.handOver(r.Running()) != NoHandOver {
		return
	}
	t.publisher.Resume(publicationOf(r, r.Running(), r.Boot))
}

// Suspect checks the slot that runs, to the last byte, for a program of that attempt that met bytes which are not what
// was signed. It does nothing for another attempt.
func (t *Trial) Suspect(ctx context.Context, boot uint64) error {
	r := t.ledger.Record()
	if r.Boot != boot || !r.Begun() {
		return nil
	}
	_, err := t.inspector.check(ctx, r.Running())
	return err
}
