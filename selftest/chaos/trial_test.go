package chaos_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"nexus/libupdates/durable/durabletest"
)

// An arena has what all runs share. Only what it remembers is changed by them.
type arena struct {
	library *library
	ready   map[kind]*durabletest.Disk // with the factory set, committed
	bound   int                        // states looked at after one cut
	second  int                        // states looked at after a second cut; 0 for no second cuts
	seed    uint64
	every   int // of the faults only each so-manieth is tried

	mu     sync.Mutex
	seen   map[wreckKey]bool // that were started
	again  map[wreckKey]bool // whose start was cut, everywhere
	rested map[wreckKey]bool // states at rest that were looked at
}

func newArena(t testing.TB, bound, second int, seed uint64) *arena {
	a := &arena{
		library: newLibrary(t), ready: map[kind]*durabletest.Disk{}, bound: bound, second: second, seed: seed, every: 1,
		seen: map[wreckKey]bool{}, again: map[wreckKey]bool{}, rested: map[wreckKey]bool{},
	}
	b := newBench(a.library)
	for _, k := range kinds() {
		disk, err := deliver(b, k)
		if err != nil {
			t.Fatal(err)
		}
		a.ready[k] = disk
	}
	return a
}

// deliver makes the disk of a device as it is delivered, and boots it once.
func deliver(b *bench, k kind) (*durabletest.Disk, error) {
	d := &device{bench: b, kind: k, cut: -1}
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
	return d.disk.Clone(), err
}

// begin starts a delivered device, to be cut after so many operations; never if that is negative.
func (a *arena) begin(b *bench, k kind, f fault, after int) *device {
	d := &device{bench: b, kind: k, cut: after, fault: f, may: beliefs{{active: factory}}}
	d.take(a.ready[k].Fork())
	d.must(d.start(d.may))
	return d
}

// must notes a start that failed on a disk that works.
func (d *device) must(err error) {
	if err != nil && !d.dead() && d.fault.name == "" {
		d.check(broke(saysNoFailure, "%v", err))
	}
}

// perform goes through a flow as far as the power lasts.
func (d *device) perform(f flow) { d.performSome(f, len(f.steps())) }

// performSome goes through the first so many steps.
func (d *device) performSome(f flow, count int) {
	for _, do := range f.steps()[:count] {
		if d.life == nil || d.dead() {
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

// A wreck is what a cut left: a disk, and what may be true of it.
type wreck struct {
	course course
	disk   *durabletest.Disk
	may    beliefs
	boot   uint64
	unsure bool // whether some of it is not durable
}

// A wreckKey is all that decides about what follows from a wreck.
type wreckKey struct {
	kind kind
	disk [sha256.Size]byte
	sure [sha256.Size]byte // what of it is durable; zero for all
	may  string
	boot uint64
}

func (w wreck) key() wreckKey {
	k := wreckKey{kind: w.course.kind, disk: w.disk.Sum(), may: fmt.Sprint(w.may), boot: w.boot}
	if w.unsure {
		k.sure = w.disk.Fork().Reboot(durabletest.Outcomes()[0]).Sum()
	}
	return k
}

// first notes a key and tells whether it is new.
func (a *arena) first(keys map[wreckKey]bool, key wreckKey) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if keys[key] {
		return false
	}
	keys[key] = true
	return true
}

// wreckOf is the disk as a cut of the power in the course leaves it, after that the device is of no more use.
func (d *device) wreckOf(c course, after int, state string, disk *durabletest.Disk) wreck {
	d.lose(disk)
	return wreck{course: c.then(cut{after, state}), disk: disk, may: d.afterCut(), boot: d.boot}
}

// killedWreck is what the death of updated alone leaves.
func (d *device) killedWreck(c course, after int) wreck {
	return wreck{course: c.then(cut{after, killed}), disk: d.disk.Fork(), may: d.may, boot: d.boot, unsure: true}
}

// recover starts what is left, cuts it again after so many operations unless that is negative, and lets it come to
// rest.
func (w wreck) recover(b *bench, after int) *device {
	d := &device{bench: b, kind: w.course.kind, cut: after, boot: w.boot, may: w.may}
	d.take(w.disk.Fork())
	d.must(d.start(w.may))
	if d.life != nil {
		d.must(d.settle())
	}
	return d
}
