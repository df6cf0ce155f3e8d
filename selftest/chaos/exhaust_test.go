package chaos_test

import (
	"slices"
	"strings"
)

// maxAfterFault bounds the changes after a failed operation at which the power is cut as well.
const maxAfterFault = 6

// A job is a part of a flow's runs that is independent of the others.
type job func(*bench)

// jobs returns all runs of a flow on a kind of device, except the undisturbed one.
func (a *arena) jobs(b *bench, f flow, k kind, t *tally) []job {
	c := course{flow: f.name, kind: k}
	d := a.begin(b, k, fault{}, -1)
	d.perform(f)
	t.operations = d.operations()
	cuts := append([]int{0}, d.changes()...)
	a.rest(d, false)
	t.ran(c, d)
	t.changes = len(cuts) - 1
	var list []job
	for _, after := range cuts {
		list = append(list, func(b *bench) { a.cutAt(b, f, c, after, t) })
	}
	for i, fault := range faults(cuts[1:], t.operations) {
		if i%a.every == int(a.seed)%a.every {
			t.faults++
			c := c
			c.fault = fault
			list = append(list, func(b *bench) { a.failAt(b, f, c, t) })
		}
	}
	return list
}

// faults returns all ways in which one operation may fail. A read can fail only because of a bad disk, and does not
// make later operations fail.
func faults(changes []int, operations int) []fault {
	var list []fault
	for _, at := range changes {
		list = append(list, fault{fullOnce, at}, fault{failsOn, at}, fault{fullOn, at})
	}
	for at := range operations {
		list = append(list, fault{failsOnce, at + 1})
	}
	return list
}

// cutAt cuts one flow at one operation, and starts the device from each disk state that may follow.
func (a *arena) cutAt(b *bench, f flow, c course, after int, t *tally) {
	d := a.begin(b, c.kind, c.fault, after)
	d.perform(f)
	t.ran(c.then(cut{after, unseen}), d)
	a.goThrough(b, d, c, after, a.bound, t, a.second > 0 && !strings.HasPrefix(f.name, twoNames))
}

// goThrough starts the device from each state in which the cut may leave it.
func (a *arena) goThrough(b *bench, d *device, c course, after, bound int, t *tally, again bool) {
	wrecks := []wreck{d.killedWreck(c, after)}
	for state, disk := range d.disk.States(bound, a.seed) {
		wrecks = append(wrecks, d.wreckOf(c, after, state, disk))
	}
	for _, w := range wrecks {
		key := w.key()
		fresh := a.first(a.seen, key)
		t.count(func() { t.outcomes++ })
		if fresh {
			a.revive(b, w, t)
		}
		if again && a.first(a.again, key) {
			a.reviveAgain(b, w, t)
		}
	}
}

// revive starts a wreck and lets it settle.
func (a *arena) revive(b *bench, w wreck, t *tally) {
	d := w.recover(b, -1)
	a.rest(d, true)
	t.ran(w.course, d)
	t.count(func() { t.states++ })
}

// reviveAgain starts a wreck and cuts the power at each operation of that start.
func (a *arena) reviveAgain(b *bench, w wreck, t *tally) {
	for _, after := range append([]int{0}, w.recover(b, -1).changes()...) {
		d := w.recover(b, after)
		t.ran(w.course.then(cut{after, unseen}), d)
		a.goThrough(b, d, w.course, after, a.second, t, false)
	}
}

// few returns how many states are tried after a cut that follows a failure.
func (a *arena) few() int { return max(a.bound/8, 4) }

// failAt fails one operation of a flow. Then it tries each continuation: a power cut at the end or soon after the
// failure, the death of updated, or none of these.
func (a *arena) failAt(b *bench, f flow, c course, t *tally) {
	few := a.few()
	d := a.begin(b, c.kind, c.fault, -1)
	d.perform(f)
	if d.meetsDamage() {
		return
	}
	changes := d.changes()
	a.goThrough(b, d.fork(), c, d.operations(), few, t, false)
	d.goesOn()
	a.rest(d, false)
	t.ran(c, d)
	if c.fault.name != failsOnce {
		return
	}
	soon := slices.DeleteFunc(changes, func(n int) bool { return n <= c.fault.at })
	for _, after := range soon[:min(len(soon), maxAfterFault)] {
		d := a.begin(b, c.kind, c.fault, after)
		d.perform(f)
		t.ran(c.then(cut{after, unseen}), d)
		a.goThrough(b, d, c, after, few, t, false)
	}
}

// fork returns a copy of the device, with a future of its own.
func (d *device) fork() *device {
	other := *d
	other.disk = d.disk.Fork()
	return &other
}

// goesOn ends the fault and lets PID 1 do its work.
func (d *device) goesOn() {
	d.bench.device, d.attempts = d, 0
	d.disk.Heal()
	if d.engine != nil {
		d.must(d.settle())
	}
}
