package updated

import (
	"context"
	"fmt"
	"sync"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// An engine owns the boot record and the slots. All its facets share it.
type engine struct {
	clock     plat.Clock
	log       *logclient.Log
	store     *slots.Store
	cell      *durable.Cell // the record
	thisBoot  *durable.Cell // where the record is on a state disk: a copy that lives as long as this boot; else nil
	verifier  *vat.Holding
	publisher *publisher
	limits    nxs.Limits
	tries     uint8
	floor     floorPolicy
	cause     bootctl.Cause // of this boot, as far as the machine tells
	// payload of the core that the system runs from; zero: the one that the machine started with
	core    nxs.Digest
	changed vat.Notifier   // the state
	stages  sync.WaitGroup // those that are being received; grows under mu

	recordLost bool // no copy of the record was left when it was taken up

	steps sync.Mutex // one step at a time, the writing of its record included; whoever only looks never waits for it
	// a write failed, so a start may read either record: nothing is built on ours before it is written again
	doubt bool

	mu        sync.Mutex // held for moments, never over a call; the record changes only under steps
	record    bootctl.Record
	contents  [2]slots.Content // what the slots hold
	unread    bool             // a slot may have changed since contents was read
	staging   bool
	stopping  bool      // no stage begins any more
	stage     *stage    // the one under way
	expected  *stage    // the one that waits for its archive as a file
	heldUntil time.Time // until then only operators stage
}

// persistent tells whether the record outlives this boot.
func (e *engine) persistent() bool { return e.thisBoot != nil }

// snapshot returns the record as it is now.
func (e *engine) snapshot() bootctl.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.record
}

// change applies one step of the state machine: decided, made durable, then visible, in that order. A step that is
// refused, or whose record cannot be made durable, has changed nothing.
func (e *engine) change(step func(bootctl.Record) (bootctl.Record, error)) error {
	e.steps.Lock()
	defer e.steps.Unlock()
	if err := e.settle(); err != nil {
		return err
	}
	before := e.snapshot()
	seen, _, err := e.seen()
	if err != nil {
		return err
	}
	next, err := step(seen)
	if err != nil {
		return err
	}
	if err := e.save(next); err != nil {
		return err
	}
	e.show(next)
	e.auditFound(before, seen)
	return nil
}

// seen is the record as the slots are, and what had to be changed for that: a step before may have filled one and
// failed to say so in the record, or even to look at it.
func (e *engine) seen() (bootctl.Record, []string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.look(); err != nil {
		return e.record, nil, err
	}
	seen, changes := e.record.Reconcile(e.recorded(e.contents[0]), e.recorded(e.contents[1]))
	return seen, changes, nil
}

// agree makes the record agree with what the slots hold.
func (e *engine) agree() error {
	if _, changes, err := e.seen(); err != nil || len(changes) == 0 {
		return err
	}
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r, nil })
}

// auditFound records what a look at the slots made of the record: damage, and the rollback that followed from it.
func (e *engine) auditFound(before, seen bootctl.Record) {
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		was, is := before.Slot(slot), seen.Slot(slot)
		if is.Damage == "" || is.Damage == was.Damage || is.Digest != was.Digest {
			continue
		}
		what := about(seen, slot)
		what.reason, what.detail = string(is.Damage), "it does not lead to the set that it held"
		e.auditAs("damaged", what, logclient.ResultFailed)
	}
	if before.Active != bootctl.None && before.Running() != seen.Running() {
		e.auditRollback(seen)
	}
}

// show makes a durable record the visible one.
func (e *engine) show(r bootctl.Record) {
	e.mu.Lock()
	e.record = r
	e.mu.Unlock()
	e.changed.Notify()
}

// settle ends the doubt after a write that failed: its record may be durable all the same, and a start would go by it.
// The caller holds steps.
func (e *engine) settle() error {
	if !e.doubt {
		return nil
	}
	return e.save(e.snapshot())
}

// idle refuses what must not happen while the standby slot is being written.
func (e *engine) idle(step func(bootctl.Record) (bootctl.Record, error)) error {
	return e.change(func(r bootctl.Record) (bootctl.Record, error) {
		if e.isStaging() {
			return r, refusal.New(refusal.StageInProgress, "a stage is under way")
		}
		return step(r)
	})
}

func (e *engine) isStaging() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.staging
}

// save makes a record durable, and before it what the record builds on: which slot the next boot starts with.
func (e *engine) save(r bootctl.Record) error {
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

// rpcPatience bounds a call to another daemon, its restart included.
const rpcPatience = 10 * time.Second

// audit writes the record of one step, whether it succeeded, was refused or failed.
func (e *engine) audit(op string, what subject, err error) {
	result := logclient.ResultOK
	if err != nil {
		reason := refusal.Of(err)
		what.reason, what.detail, result = string(reason), refusal.DetailOf(err), logclient.ResultRefused
		if reason == refusal.IO {
			result = logclient.ResultFailed
		}
	}
	e.auditAs(op, what, result)
}

func (e *engine) auditAs(op string, what subject, result string) {
	digest := ""
	if !what.digest.IsZero() {
		digest = what.digest.String()
	}
	e.log.Audit(logclient.Audit{
		Op: op, Slot: what.slot.String(), Version: what.version, Digest: digest, Size: what.size, Reused: what.reused,
		Result: result, Reason: what.reason, Detail: what.detail,
	})
}

// A subject is what an audit record is about.
type subject struct {
	slot    bootctl.Slot
	version string
	digest  nxs.Digest
	size    uint64
	reused  int64 // bytes of payloads that were not written again
	reason  string
	detail  string
}

// about describes what a slot of the record holds.
func about(r bootctl.Record, slot bootctl.Slot) subject {
	if slot == bootctl.None {
		return subject{}
	}
	c := r.Slot(slot)
	return subject{slot: slot, version: c.Version, digest: nxs.Digest(c.Digest)}
}

// bounded is a context for one call to another daemon.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, rpcPatience)
}
