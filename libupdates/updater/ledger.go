package updater

import (
	"errors"
	"fmt"
	"sync"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A ledger is the boot record, kept in agreement with the slots. It changes by steps, one at a time.
type ledger struct {
	slots   *inventory
	copies  *copies
	place   *place
	log     journal
	clock   Clock
	cause   bootctl.Cause // why this boot began
	changed func()

	steps    sync.Mutex // the order of changes, the writing of the record included
	doubt    bool       // a write of the record failed: a start may read either one, so the next step writes it again
	unsynced bool       // the links of a switch may have moved without being durable; changes only under steps

	mu     sync.Mutex
	record bootctl.Record // changes only under steps
}

// Record returns the record as it is now.
func (l *ledger) Record() bootctl.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.record
}

// A step changes the record, or refuses to.
type step func(bootctl.Record) (bootctl.Record, error)

// change applies one step of the state machine: decided, made durable, then visible, in that order. A step that is
// refused, or whose record cannot be made durable, has changed nothing.
func (l *ledger) change(do step) error {
	l.steps.Lock()
	defer l.steps.Unlock()
	if err := l.settle(); err != nil {
		return err
	}
	before := l.Record()
	seen, _, err := l.seen()
	if err != nil {
		return err
	}
	next, err := do(seen)
	if err != nil {
		return err
	}
	if err := l.save(next); err != nil {
		return err
	}
	l.show(next)
	l.log.found(before, seen)
	if err := l.promote(next); err != nil {
		l.log.Warn("set on trial not in its slot yet", "error", err)
	}
	if !l.place.isTaken() && l.slots.content(bootctl.Staged).Digest != nxs.Digest(next.Staged.Digest) {
		l.tidy()
	}
	return nil
}

// unlessStaging is change, refused while a stage is under way.
func (l *ledger) unlessStaging(do step) error {
	return l.change(func(r bootctl.Record) (bootctl.Record, error) {
		if l.place.isTaken() {
			return r, refusal.New(refusal.StageInProgress, "a stage is under way")
		}
		return do(r)
	})
}

// takePlace takes the place of a stage, if nobody has it.
func (l *ledger) takePlace() error {
	l.steps.Lock()
	defer l.steps.Unlock()
	if l.place.isTaken() {
		return refusal.New(refusal.StageInProgress, "another stage is under way")
	}
	if err := l.settle(); err != nil { // a start must not go by a record that has on trial what was staged before
		return err
	}
	l.place.take()
	return nil
}

// dated is a record whose next steps happen now.
func (l *ledger) dated(r bootctl.Record) bootctl.Record { return r.At(l.clock.Now().UnixMilli()) }

// seen is the record as the slots are, and what had to change for that: an earlier step may have filled a slot and
// failed to record it, or even to look at it.
func (l *ledger) seen() (bootctl.Record, []string, error) {
	a, b, staged, err := l.slots.found()
	if err != nil {
		return l.Record(), nil, err
	}
	seen, changes := l.dated(l.Record()).Reconcile(a, b, staged)
	return seen, changes, nil
}

// agree makes the record agree with what the slots hold.
func (l *ledger) agree() error {
	if _, changes, err := l.seen(); err != nil || len(changes) == 0 {
		return err
	}
	return l.change(func(r bootctl.Record) (bootctl.Record, error) { return r, nil })
}

// superseded drops a staged set that is gone because a stage took its place and then failed. The record shows that even
// if it cannot be stored now: a start would find the same, and the next step stores it.
func (l *ledger) superseded() {
	l.steps.Lock()
	defer l.steps.Unlock()
	r := l.Record()
	seen, _, err := l.seen()
	if err == nil && seen.Staged == r.Staged {
		return
	}
	if err == nil {
		r.Staged = seen.Staged
		l.show(r)
		err = l.save(r)
	}
	if err != nil {
		l.log.Warn("cannot record what is staged after a stage that failed", "error", err)
	}
}

// show makes a record the visible one. It is durable already, unless it only drops a set that is gone.
func (l *ledger) show(r bootctl.Record) {
	l.mu.Lock()
	l.record = r
	l.mu.Unlock()
	l.changed()
}

// settle finishes what the step before left behind. It ends the doubt after a failed write, whose record may be durable
// nevertheless, and would then be used by the next start. It also puts the set on trial. The caller holds steps.
func (l *ledger) settle() error {
	if l.doubt {
		if err := l.save(l.Record()); err != nil {
			return err
		}
	}
	return l.promote(l.Record())
}

// save makes a record durable, and before it what the record builds on: which slot the next boot starts with.
func (l *ledger) save(r bootctl.Record) error {
	l.doubt = true
	if err := l.slots.store.SetActive(r.Active); err != nil {
		return err
	}
	raw, err := bootctl.Encode(r)
	if err != nil {
		return fmt.Errorf("cannot encode boot record: %w", err)
	}
	if err := l.copies.store(raw); err != nil {
		return fmt.Errorf("cannot store boot record: %w", err)
	}
	l.doubt = false
	return nil
}

// promote moves the set that a durable record has on trial from where it was staged into its slot, unless that was done
// before. By the record the switch is done: where the links cannot follow at once, they do before the next step, or at
// the next start.
func (l *ledger) promote(r bootctl.Record) error {
	if l.unsynced {
		if err := l.slots.store.Sync(); err != nil {
			return err
		}
		l.unsynced = false
	}
	if !l.unplaced(r) {
		return nil
	}
	promoted := l.slots.store.Promote(r.Pending)
	l.unsynced = promoted != nil
	if err := l.slots.read(); err != nil || l.unplaced(r) {
		return errors.Join(promoted, err)
	}
	return nil
}

// unplaced reports whether the set on trial is still where it was staged.
func (l *ledger) unplaced(r bootctl.Record) bool {
	staged := l.slots.content(bootctl.Staged).Digest
	return r.Pending != bootctl.None && !staged.IsZero() && bootctl.Digest(staged) == r.Slot(r.Pending).Digest
}

// tidy makes the staged link lead to what is staged. It may lead to what is not staged any more, or to what a cut kept
// from the record, or be missing where an older version staged in the standby slot. No stage is under way, or the
// caller has its place.
func (l *ledger) tidy() {
	r := l.Record()
	if l.unplaced(r) { // a switch still needs the link
		return
	}
	err := l.slots.store.SetStaged(nxs.Digest(r.Staged.Digest))
	l.slots.touched()
	if err == nil {
		err = l.slots.read()
	}
	if err != nil {
		l.log.Warn("cannot tidy what is staged", "error", err)
	}
}

// installed returns the sets in the slots that can be read.
func (l *ledger) installed() []Installed {
	r := l.Record()
	var sets []Installed
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		index, proof, err := l.slots.store.Signed(slot)
		if err == nil && index != nil {
			sets = append(sets, Installed{index, proof, r.Needs(slot)})
		}
	}
	return sets
}
