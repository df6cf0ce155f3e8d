package chaos_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/selftest/kit"
)

// An arena holds what all runs share. Runs change only the maps of states.
type arena struct {
	library *library
	ready   map[kind]*durabletest.Disk // delivered devices: the factory set is committed
	left    map[kind]legacy            // what it left
	bound   int                        // states tried after one cut
	second  int                        // states tried after a second cut; 0: no second cuts
	seed    uint64
	every   int // only one of so many faults is tried

	mu     sync.Mutex
	seen   map[wreckKey]bool // those that were started
	again  map[wreckKey]bool // those whose start was cut at each operation
	rested map[wreckKey]bool // settled states that were checked
}

func newArena(t testing.TB, bound, second int, seed uint64) *arena {
	a := &arena{
		library: newLibrary(t), ready: map[kind]*durabletest.Disk{}, left: map[kind]legacy{}, bound: bound,
		second: second, seed: seed, every: 1,
		seen: map[wreckKey]bool{}, again: map[wreckKey]bool{}, rested: map[wreckKey]bool{},
	}
	b := newBench(a.library)
	for _, k := range kinds() {
		d, err := deliver(b, k)
		kit.Must(t, err)
		a.ready[k], a.left[k] = d.disk.Clone(), d.left
	}
	return a
}

// deliver makes a new device and boots it once.
func deliver(b *bench, k kind) (*device, error) {
	d := &device{bench: b, kind: k, cut: -1, left: legacy{by: map[string][]string{factory: {""}}}}
	d.take(durabletest.New())
	if err := d.fillFactorySlot(); err != nil {
		return nil, err
	}
	err := d.start(beliefs{{active: factory}})
	if err == nil {
		err = d.settle()
	}
	if err == nil && len(d.broken) > 0 {
		err = fmt.Errorf("%v", d.broken)
	}
	if k == onVerity {
		d.disk.GiveVerity()
	}
	return d, err
}

// begin starts a delivered device, whose power is cut after so many operations, or never if that is negative.
func (a *arena) begin(b *bench, k kind, f fault, after int) *device {
	d := &device{bench: b, kind: k, cut: after, fault: f, may: beliefs{{active: factory}}, left: a.left[k]}
	d.take(a.ready[k].Fork())
	d.must(d.start(d.may))
	return d
}

// must records a start that failed on a working disk.
func (d *device) must(err error) {
	if err != nil && !d.dead() && d.fault.name == "" {
		d.check(broke(saysNoFailure, "%v", err))
	}
}

// perform runs a flow until the power is cut.
func (d *device) perform(f flow) { d.performSome(f, len(f.steps())) }

// performSome runs the first count steps of a flow.
func (d *device) performSome(f flow, count int) {
	for _, do := range f.steps()[:count] {
		if d.engine == nil || d.dead() {
			break
		}
		if err := do(d); isFault(err) && !d.dead() {
			do(d)
		}
	}
	if d.dead() {
		d.abandon()
	}
}

// A wreck is the result of a cut: a disk, and the states that may be true.
type wreck struct {
	course course
	disk   *durabletest.Disk
	may    beliefs
	around beliefs // as in device
	boot   uint64
	left   legacy
	unsure bool // whether part of the disk is not durable
}

// A wreckKey holds everything on which the continuation of a wreck depends.
type wreckKey struct {
	kind kind
	disk [sha256.Size]byte
	sure [sha256.Size]byte // the durable part of the disk; zero if everything is durable
	may  string
	boot uint64
}

func (w wreck) key() wreckKey {
	k := wreckKey{kind: w.course.kind, disk: w.disk.Sum(), may: fmt.Sprint(w.may, w.around, w.left), boot: w.boot}
	if w.unsure {
		k.sure = w.disk.Fork().Reboot(durabletest.Outcomes()[0]).Sum()
	}
	return k
}

// first adds a key and reports whether it is new.
func (a *arena) first(keys map[wreckKey]bool, key wreckKey) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if keys[key] {
		return false
	}
	keys[key] = true
	return true
}

// wreckOf returns the disk state after a power cut in the course. The device must not be used afterwards.
func (d *device) wreckOf(c course, after int, state string, disk *durabletest.Disk) wreck {
	d.lose(disk)
	return wreck{course: c.then(cut{after, state}), disk: disk, may: d.afterCut(), boot: d.boot,
		left: d.left}
}

// killedWreck returns the state after the death of updated alone.
func (d *device) killedWreck(c course, after int) wreck {
	return wreck{course: c.then(cut{after, killed}), disk: d.disk.Fork(), may: d.may, around: d.around, boot: d.boot,
		left: d.left, unsure: true}
}

// recover starts a wreck and lets it settle. Its power is cut again after so many operations, or never if that is
// negative.
func (w wreck) recover(b *bench, after int) *device {
	d := &device{bench: b, kind: w.course.kind, cut: after, boot: w.boot, may: w.may, around: w.around,
		left: w.left}
	d.take(w.disk.Fork())
	d.must(d.start(w.may))
	if d.engine != nil {
		d.must(d.settle())
	}
	return d
}
