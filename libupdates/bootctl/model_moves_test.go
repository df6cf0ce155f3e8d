package bootctl_test

import (
	"fmt"
	"reflect"
	"slices"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// A step is one move of the model: what was tried, in which state, and what came of it.
type step struct {
	name          string
	op            bootctl.Op
	number        uint64 // the attempt or stage it was about
	outcome       outcome
	err           error // the refusal; then after is before
	changed       bool  // whether a refused operation gave another record than it was given
	cut           bool  // whether it is the end of a boot and the beginning of the next
	forgets       bool  // whether the record is lost with the step
	before, after device
}

// A doing is an operation of the owner of the record.
type doing struct {
	name   string
	op     bootctl.Op
	number uint64
	first  func(device) device // what becomes durable before the record is asked to change
	decide func(bootctl.Record) (bootctl.Record, error)
	last   func(device) device // what follows once the record is durable
}

// try applies an operation with every outcome of its write, and hands each step on. The owner decides about what the
// slots hold now: a step before may have changed a slot and failed to record it.
func (d device) try(m machine, do doing, each func(*step)) {
	s := step{name: do.name, op: do.op, number: do.number, before: d}
	seen, _ := d.kept.Reconcile(d.found(m))
	next, err := do.decide(seen)
	if err != nil {
		s.err = err
		s.after = d
		s.changed = !reflect.DeepEqual(next, seen)
		each(&s)
		return
	}
	ready := d
	if do.first != nil {
		ready = do.first(d)
	}
	if do.op == bootctl.OpCommit {
		ready = ready.prove(d.kept.Running()) // the verdict is given, whatever becomes of the record of it
	}
	for _, o := range outcomes() {
		s.outcome, s.after = o, ready.save(next, o)
		if o == done {
			s.after = s.after.place(s.after.kept).tidy()
		}
		if o == done && do.last != nil {
			s.after = do.last(s.after)
		}
		each(&s)
	}
	switch do.op {
	case bootctl.OpDiscard: // the record was first, and the set could not be removed
		s.name, s.outcome, s.after = do.name+", set kept", done, ready.save(next, done)
		each(&s)
	case bootctl.OpSwitch: // the record was first, and the links could not follow at once
		s.name, s.outcome, s.after = do.name+", links kept", done, ready.save(next, done)
		each(&s)
	}
}

// moves hands on everything that can happen to a device: what operators and initd ask for, and what fails. The step is
// good until the next one.
func (d device) moves(m machine, each func(*step)) {
	switch {
	case d.down:
	case d.doubt:
		d.try(m, settle(), each)
	default:
		placed := d.place(d.kept)
		for _, do := range slices.Concat(placed.operator(m), placed.gate(), placed.floors(m), placed.rots(m)) {
			placed.try(m, do, each)
		}
	}
	d.starts(m, each)
}

// settle is what the owner does after a write that failed, before it touches anything else: it writes again what it
// goes by.
func settle() doing {
	return doing{name: "settle", op: opSettle, decide: func(r bootctl.Record) (bootctl.Record, error) { return r, nil }}
}

// operator is what an operator can ask for at any time, a second time too, and with what has become stale.
func (d device) operator(m machine) []doing {
	r := d.kept
	var all []doing
	for n := byte(1); n <= m.sets; n++ {
		all = append(all, doing{
			name: fmt.Sprint("stage ", n), op: bootctl.OpStage,
			first: func(d device) device { return d.put(bootctl.Staged, n) },
			decide: func(r bootctl.Record) (bootctl.Record, error) {
				r, _, err := r.Stage(m.content(n))
				return r,
					err
			},
		}, doing{
			name: fmt.Sprint("clear ", n), op: bootctl.OpClear,
			decide: func(r bootctl.Record) (bootctl.Record, error) { return r.ClearQuarantine(set(n).Digest) },
		})
		if d.on(bootctl.A) == 0 && d.on(bootctl.B) == 0 && d.held == 0 {
			all = append(all, d.factory(m, n))
		}
	}
	for _, serial := range []uint64{r.StageSerial, r.StageSerial - 1} {
		for tries := uint8(1); tries <= m.tries; tries++ {
			all = append(all, doing{
				name: fmt.Sprintf("switch %+d with %d tries", int64(serial-r.StageSerial), tries), op: bootctl.OpSwitch,
				number: serial,
				decide: func(r bootctl.Record) (bootctl.Record, error) { return r.Switch(serial, tries) },
			})
		}
		all = append(all, doing{
			name: fmt.Sprintf("discard %+d", int64(serial-r.StageSerial)), op: bootctl.OpDiscard, number: serial,
			decide: func(r bootctl.Record) (bootctl.Record, error) { return r.Discard(serial) },
			last:   func(d device) device { return d.put(bootctl.Staged, 0) },
		})
	}
	return append(all, doing{
		name: "roll back", op: bootctl.OpRollback,
		decide: func(r bootctl.Record) (bootctl.Record, error) { return r.Rollback(refusal.ByOperator, "") },
	})
}

// factory fills slot a, as is done at a start that finds both slots empty, before the first attempt.
func (d device) factory(m machine, n byte) doing {
	filled := d.put(bootctl.A, n).prove(bootctl.A)
	return doing{
		name:   fmt.Sprint("factory set ", n),
		op:     opFactory,
		first:  func(device) device { return filled },
		decide: func(r bootctl.Record) (bootctl.Record, error) { return r.Factory(m.content(n)) },
	}
}

// floors are the ways in which an operator lowers the floor.
func (d device) floors(m machine) []doing {
	if !m.floor {
		return nil
	}
	versions := []string{""}
	for n := byte(1); n <= m.sets; n++ {
		versions = append(versions, set(n).Version)
	}
	var all []doing
	for _, version := range versions {
		all = append(all, doing{
			name: "lower the floor to " + version, op: bootctl.OpFloor,
			decide: func(r bootctl.Record) (bootctl.Record, error) { return r.LowerFloor(version) },
		})
	}
	return all
}

// rots are what a check of the slots may find: damage, or that there is none any more.
func (d device) rots(m machine) []doing {
	var all []doing
	for _, s := range []bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged} {
		switch {
		case !m.rot:
		case d.kept.Slot(s).Damage != "":
			all = append(all, doing{
				name: "mended " + s.String(), op: bootctl.OpMended,
				decide: func(r bootctl.Record) (bootctl.Record, error) { return r.Mended(s), nil },
			})
		case !d.hurt:
			all = append(all, doing{
				name: "damaged " + s.String(), op: bootctl.OpDamaged,
				first: func(d device) device { d.hurt = true; return d },
				decide: func(r bootctl.Record) (bootctl.Record, error) {
					return r.Damage(s, refusal.DigestMismatch,
						"")
				},
			})
		}
	}
	return all
}

// The steps of the model that leave no event.
const (
	opFactory bootctl.Op = "factory"
	opSettle  bootctl.Op = "settle"
	opEnd     bootctl.Op = "end"
)

// gate is what initd can ask for. It gives a good verdict only about an attempt whose slot was published; its older
// verdicts may come late.
func (d device) gate() []doing {
	all := []doing{d.attempt(), {
		name: "order the end", op: opEnd,
		decide: func(r bootctl.Record) (bootctl.Record, error) { return r.EndBoot(), nil },
	}}
	if d.held == 0 {
		return all
	}
	numbers := []uint64{d.held, d.held - 1, d.kept.Boot + 1}
	if d.held != d.kept.Boot && !d.kept.Begun() {
		numbers = append(numbers, d.kept.Boot) // drawn by a switch or a rollback, and never given to anyone
	}
	for _, number := range numbers {
		name := fmt.Sprintf(" %+d", int64(number-d.held))
		if d.up || number != d.held {
			all = append(all, doing{
				name: "commit" + name, op: bootctl.OpCommit, number: number,
				decide: func(r bootctl.Record) (bootctl.Record, error) { return r.CommitHealth(number) },
			}, doing{
				name: "commit and watch" + name, op: bootctl.OpCommit, number: number,
				decide: func(r bootctl.Record) (bootctl.Record,
					error) {
					return r.CommitAndWatch(number, watchedAttempts)
				},
			})
		}
		all = append(all, doing{
			name: "end watch" + name, op: bootctl.OpHeld, number: number,
			decide: func(r bootctl.Record) (bootctl.Record, error) { return r.EndWatch(number) },
		})
		for _, reason := range []refusal.Reason{
			refusal.HealthTimeout, refusal.ServiceExited, refusal.CoreNotReady, refusal.Hindered,
		} {
			all = append(all, doing{
				name: string(reason) + name, op: bootctl.OpRollback, number: number,
				decide: func(r bootctl.Record) (bootctl.Record, error) {
					next, _, err := r.Fail(number, reason, "")
					return next, err
				},
			})
		}
	}
	return all
}

// watchedAttempts is how many attempts the model gives a set under watch.
const watchedAttempts = 2

func (d device) attempt() doing {
	var a bootctl.Attempt
	return doing{
		name: "attempt", op: bootctl.OpAttempt,
		decide: func(r bootctl.Record) (next bootctl.Record, err error) { next, a = r.BootAttempt(); return next, nil },
		last: func(d device) device {
			d.held = a.Boot
			return d.publish(a.Slot)
		},
	}
}

// publish shows a slot to those who run it, unless it holds another set than the record says, or no longer what was
// signed, or must not run.
func (d device) publish(s bootctl.Slot) device {
	c := d.kept.Slot(s)
	d.up = d.on(s) == number(c.Digest) && c.Damage == "" && d.kept.MayRun(s) == nil
	if d.up {
		d.runs = d.on(s)
	}
	return d
}
