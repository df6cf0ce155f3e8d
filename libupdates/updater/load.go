package updater

import (
	"fmt"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

func openLedger(cfg Config) (*ledger, error) {
	store, err := slots.Open(cfg.Slots)
	if err != nil {
		return nil, fmt.Errorf("cannot open slots: %w", err)
	}
	log := journal{Log: cfg.Log}
	kept, err := openCopies(cfg.Record, cfg.BootCopy, log)
	if err != nil {
		return nil, err
	}
	l := &ledger{
		slots:  &inventory{store: store, floor: cfg.Floor, unread: true},
		copies: kept, place: &place{clock: cfg.Clock, changed: cfg.Changed}, log: log,
		clock: cfg.Clock, cause: cfg.Cause, changed: cfg.Changed,
	}
	if err := l.load(); err != nil {
		return nil, err
	}
	l.tidy()
	kept.reportMended()
	return l, nil
}

// load takes the newest record, or resumes from what the slots know, and makes it agree with what they hold: a cut
// between image and record is mended here. A record that is older than this boot begins it: no attempt of the boot
// before counts, and nothing is published for it.
func (l *ledger) load() error {
	a, b, _, err := l.slots.found()
	if err != nil {
		return err
	}
	confirmed, err := l.confirmed(a, b)
	if err != nil {
		return err
	}
	raw, found := l.copies.newest(confirmed != bootctl.None || !a.IsEmpty() || !b.IsEmpty())
	if !found {
		return l.adopt(l.dated(bootctl.Resume(confirmed, a, b)).Booted(l.cause))
	}
	return l.takeUp(raw, confirmed)
}

// takeUp goes on with a stored record. A switch of which only the record was stored is carried out first.
func (l *ledger) takeUp(raw []byte, confirmed bootctl.Slot) error {
	record, err := bootctl.Decode(raw)
	if err != nil {
		return fmt.Errorf("cannot load boot record: %w", err)
	}
	record = l.dated(record)
	if l.copies.beginsBoot() {
		record = record.Restart(l.cause)
	}
	if l.unplaced(record) {
		if err := l.save(record); err != nil {
			return err
		}
		if err := l.promote(record); err != nil {
			return err
		}
	}
	a, b, staged, err := l.slots.found()
	if err != nil {
		return err
	}
	record, behind := record.CatchUp(confirmed, a, b)
	agreed, changes := record.Reconcile(a, b, staged)
	for _, change := range changes {
		l.log.Warn("boot record mended", "change", change)
	}
	if err := l.adopt(agreed); err != nil {
		return err
	}
	if behind {
		l.reportBehind(agreed)
	}
	l.log.found(record, agreed)
	if !record.Staged.IsEmpty() && agreed.Staged.IsEmpty() {
		what := about(record, bootctl.Staged)
		what.Reason, what.Detail = refusal.MissingEntry, "the staged set is gone"
		l.log.write("damaged", what, Failed)
	}
	return nil
}

// confirmed is the slot that was confirmed last, by its link. If the link is damaged, it is the slot that holds a set,
// slot a before slot b.
func (l *ledger) confirmed(a, b bootctl.Content) (bootctl.Slot, error) {
	slot, err := l.slots.store.Active()
	if _, damaged := slots.DamageOf(err); !damaged {
		return slot, err
	}
	slot = bootctl.A
	if a.IsEmpty() && !b.IsEmpty() {
		slot = bootctl.B
	}
	l.log.Warn("cannot tell which slot was confirmed last", "error", err, "taken", slot)
	return slot, nil
}

// adopt makes a record the current one, durably.
func (l *ledger) adopt(r bootctl.Record) error {
	return l.change(func(bootctl.Record) (bootctl.Record, error) { return r, nil })
}

// reportBehind reports that the record was older than the slots, and which set runs.
func (l *ledger) reportBehind(r bootctl.Record) {
	what := about(r, r.Active)
	l.log.Warn("boot record older than the slots", "active", what.Slot, "version", what.Version)
	what.Reason = refusal.SlotMismatch
	what.Detail = "the record was older than the slots: what it did not know of quarantine and version floor is lost"
	l.log.write("record", what, OK)
}
