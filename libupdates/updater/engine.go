package updater

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/delta"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/trust"
)

// An Engine owns the boot record and the slots. Its methods may be called from any goroutine.
//
// There are two locks. Steps holds the order of changes: one step at a time, the writing of its record included. Mu
// protects what is known; it is held for moments, never during a call, and whoever only looks takes no other. Steps is
// taken before mu. The slots are written by whoever has the place of a stage (place.go), so a stage blocks no other
// step.
type Engine struct {
	cfg        Config
	store      *slots.Store
	cell       *durable.Cell // the record
	bootCopy   *durable.Cell // nil where the record does not outlive this boot
	recordLost bool          // no copy of the record was left when it was loaded
	stages     sync.WaitGroup

	switches sync.Mutex // one at a time checks what is staged, and switches to it; taken before steps

	steps sync.Mutex
	doubt bool // a write of the record failed: a start may read either one, so it is written again before the next step

	unsynced bool // the links of a switch may have moved without being durable; changes only under steps

	mu        sync.Mutex
	record    bootctl.Record   // changes only under steps
	contents  [3]slots.Content // of slot a and slot b, and what is staged
	unread    bool             // a slot may have changed since contents was read
	free      chan struct{}    // closed when the place of a stage is given back; nil: nobody has it
	stopping  bool             // no stage begins any more
	stage     *Stage           // the one under way
	heldUntil time.Time        // until then only operators stage
}

// Persistent reports whether the record outlives this boot.
func (e *Engine) Persistent() bool { return e.bootCopy != nil }

// Record returns the boot record as it is now.
func (e *Engine) Record() bootctl.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.record
}

// A Status is what is known at one moment.
type Status struct {
	Record   bootctl.Record
	Contents [3]slots.Content // of slot a and slot b, and what is staged
	Staging  bool             // a stage is under way
	Core     string           // the version of the core that runs; empty: the core of the image
}

// Status returns what is known now.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Status{e.record, e.contents, e.free != nil, e.coreVersion()}
}

// A step changes the record, or refuses to.
type step func(bootctl.Record) (bootctl.Record, error)

// change applies one step of the state machine: decided, made durable, then visible, in that order. A step that is
// refused, or whose record cannot be made durable, has changed nothing.
func (e *Engine) change(do step) error {
	e.steps.Lock()
	defer e.steps.Unlock()
	if err := e.settle(); err != nil {
		return err
	}
	before := e.Record()
	seen, _, err := e.seen()
	if err != nil {
		return err
	}
	next, err := do(seen)
	if err != nil {
		return err
	}
	if err := e.save(next); err != nil {
		return err
	}
	e.show(next)
	e.auditFound(before, seen)
	if err := e.place(next); err != nil {
		e.cfg.Log.Warn("set on trial not in its slot yet", "error", err)
	}
	if !e.isStaging() && e.content(bootctl.Staged).Digest != nxs.Digest(next.Staged.Digest) {
		e.tidy()
	}
	return nil
}

// unlessStaging is change, refused while a stage is under way.
func (e *Engine) unlessStaging(do step) error {
	return e.change(func(r bootctl.Record) (bootctl.Record, error) {
		if e.isStaging() {
			return r, refusal.New(refusal.StageInProgress, "a stage is under way")
		}
		return do(r)
	})
}

// dated is a record whose next steps happen now.
func (e *Engine) dated(r bootctl.Record) bootctl.Record { return r.At(e.cfg.Clock.Now().UnixMilli()) }

// seen is the record as the slots are, and what had to change for that: an earlier step may have filled a slot and
// failed to record it, or even to look at it.
func (e *Engine) seen() (bootctl.Record, []string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.look(); err != nil {
		return e.record, nil, err
	}
	seen, changes := e.dated(e.record).Reconcile(e.found())
	return seen, changes, nil
}

// agree makes the record agree with what the slots hold.
func (e *Engine) agree() error {
	if _, changes, err := e.seen(); err != nil || len(changes) == 0 {
		return err
	}
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r, nil })
}

// show makes a durable record the visible one.
func (e *Engine) show(r bootctl.Record) {
	e.mu.Lock()
	e.record = r
	e.mu.Unlock()
	e.cfg.Changed()
}

// settle finishes what the step before left behind. It ends the doubt after a failed write, whose record may be durable
// nevertheless, and would then be used by the next start. It also puts the set on trial. The caller holds steps.
func (e *Engine) settle() error {
	if e.doubt {
		if err := e.save(e.Record()); err != nil {
			return err
		}
	}
	return e.place(e.Record())
}

// save makes a record durable, and before it what the record builds on: which slot the next boot starts with.
func (e *Engine) save(r bootctl.Record) error {
	e.doubt = true
	if err := e.store.SetActive(r.Active); err != nil {
		return err
	}
	raw, err := bootctl.Encode(r)
	if err != nil {
		return fmt.Errorf("cannot encode boot record: %w", err)
	}
	if err := e.keep(raw); err != nil {
		return fmt.Errorf("cannot store boot record: %w", err)
	}
	e.doubt = false
	return nil
}

// place moves the set that a durable record has on trial from where it was staged into its slot, unless that was done
// before. By the record the switch is done: where the links cannot follow at once, they do before the next step, or at
// the next start.
func (e *Engine) place(r bootctl.Record) error {
	if e.unsynced {
		if err := e.store.Sync(); err != nil {
			return err
		}
		e.unsynced = false
	}
	if !e.unplaced(r) {
		return nil
	}
	promoted := e.store.Promote(r.Pending)
	e.unsynced = promoted != nil
	if err := e.readSlots(); err != nil || e.unplaced(r) {
		return errors.Join(promoted, err)
	}
	return nil
}

// unplaced reports whether the set on trial is still where it was staged.
func (e *Engine) unplaced(r bootctl.Record) bool {
	staged := e.content(bootctl.Staged).Digest
	return r.Pending != bootctl.None && !staged.IsZero() && bootctl.Digest(staged) == r.Slot(r.Pending).Digest
}

// keep stores an encoded record. One that outlives the boot is stored twice, so that either copy may be damaged, and
// then for this boot.
func (e *Engine) keep(raw []byte) error {
	if !e.Persistent() {
		return e.cell.Store(raw)
	}
	if err := e.cell.StoreTwice(raw); err != nil {
		return err
	}
	return e.bootCopy.Store(raw)
}

// verifyBy is the verification of one call.
func (e *Engine) verifyBy(ctx context.Context) nxs.VerifyFunc {
	return func(message, proof []byte) (trust.PublicKey, error) { return e.cfg.Verify(ctx, message, proof) }
}

// patchBy applies the patches of one stage.
func (e *Engine) patchBy(ctx context.Context) nxs.PatchFunc {
	if e.cfg.Patch == nil {
		return nil
	}
	return func(p delta.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, from int64) error {
		return e.cfg.Patch(ctx, p, w, old, patch, from)
	}
}

// admitSet asks whether a set may be installed anew.
func (e *Engine) admitSet(ctx context.Context, head *nxs.Head) error {
	if e.cfg.Admission == nil {
		return nil
	}
	return e.cfg.Admission.Admit(ctx, head.Raw, head.Proof())
}

// rootsFor takes the roots of a set.
func (e *Engine) rootsFor(ctx context.Context) nxs.RootsFunc {
	if e.cfg.Admission == nil {
		return nil
	}
	return func(raw []byte) error { return e.cfg.Admission.TakeRoots(ctx, raw, e.Installed()) }
}

// Installed returns the sets in the slots. One whose index or signatures cannot be read cannot run, and is left out.
func (e *Engine) Installed() []Installed {
	r := e.Record()
	var sets []Installed
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		index, proof, err := e.store.Signed(slot)
		if err == nil && index != nil {
			sets = append(sets, Installed{index, proof, r.Needs(slot)})
		}
	}
	return sets
}
