package updater

import (
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// An Engine is the one writer of the slots and of the boot record. It has a part for each kind of caller; below them
// are an inspector, which verifies slots and marks damage, the ledger with the record, and what each of these knows.
// The parts may be used from any goroutine.
//
// Locks are taken in this order: that of a switch (Staging), that of the steps (ledger), and then one of those that
// protect what is known (ledger, place, inventory, Staging), which are held for moments and never during a call. The
// slots are written by whoever has the place of a stage, so a stage blocks no step.
type Engine struct {
	Staging  *Staging  // takes sets in, and switches to what is staged
	Trial    *Trial    // counts the attempts of a boot, and takes the verdicts
	Recovery *Recovery // goes back, and looks for damage

	intake *intake
	ledger *ledger
	core   nxs.Digest // of the payload of the core that runs
}

// Open loads the slots and the record, the slots first: what a cut left behind in them is removed before anything goes
// by them. After an error the next Open finds all that this one found.
func Open(cfg Config) (*Engine, error) {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	l, err := openLedger(cfg)
	if err != nil {
		return nil, err
	}
	look := &inspector{ledger: l, slots: l.slots, log: l.log, trust: cfg.Verify}
	in := &intake{ledger: l, inspector: look, slots: l.slots, log: l.log, cfg: &cfg}
	return &Engine{
		Staging: &Staging{
			ledger: l, inspector: look, intake: in, slots: l.slots, place: l.place, log: l.log, cfg: &cfg,
			waiters: map[chan struct{}]bool{},
		},
		Trial: &Trial{
			ledger: l, inspector: look, slots: l.slots, log: l.log,
			publisher: cfg.Publisher, core: cfg.Core, tries: cfg.Tries,
		},
		Recovery: &Recovery{ledger: l, inspector: look, slots: l.slots, place: l.place, log: l.log, busy: cfg.busy},
		intake:   in, ledger: l, core: cfg.Core,
	}, nil
}

// Persistent reports whether the record outlives this boot.
func (e *Engine) Persistent() bool { return e.ledger.copies.persistent() }

// Record returns the boot record as it is now.
func (e *Engine) Record() bootctl.Record { return e.ledger.Record() }

// Held returns the digests of the payloads of all sets on the device, in ascending order. The payloads themselves have
// not been read.
func (e *Engine) Held() []nxs.Digest { return e.ledger.slots.held() }

// Installed returns the sets in the slots. One whose index or signatures cannot be read cannot run, and is left out.
func (e *Engine) Installed() []Installed { return e.ledger.installed() }

// A Status is what is known at one moment.
type Status struct {
	Record   bootctl.Record
	Contents [3]slots.Content // of slot a and slot b, and what is staged
	Staging  bool             // a stage is under way
	Stage    slots.Progress   // of that stage
	Size     int64            // of its archive
	Core     string           // the version of the core that runs; empty: the core of the image
}

// Status returns what is known now.
func (e *Engine) Status() Status {
	contents := e.ledger.slots.all()
	now := Status{Record: e.Record(), Contents: contents, Staging: e.ledger.place.isTaken(),
		Core: coreVersion(contents, e.core)}
	if s := e.Staging.current(); s != nil {
		now.Stage, now.Size = s.reached(), s.size
	}
	return now
}
