package chaos_test

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
)

// rest checks the invariants of a device that has settled. started reports whether nothing has failed since its start.
// Each state is checked once.
func (a *arena) rest(d *device, started bool) {
	if d.engine == nil || d.dead() {
		return
	}
	d.disk.Heal()
	sees := d.see()
	if sees.trial || d.given == 0 { // a flow may end during a trial; PID 1 then goes on
		d.must(d.settle())
		sees = d.see()
	}
	if !a.first(a.rested, wreckKey{kind: d.kind, disk: d.disk.Sum(), may: fmt.Sprint(sees, d.runs, started),
		boot: d.boot}) {
		return
	}
	d.check(deviceIsSettled(d))
	if started {
		d.check(diskIsClean(d))
	}
	d.check(updatesGoOn(d))
}

func deviceIsSettled(d *device) violation {
	r := d.engine.Record()
	runs := r.Slot(r.Active)
	switch {
	case r.Pending != bootctl.None:
		return broke(saysSettled, "slot %s is on trial", r.Pending)
	case !r.HealthOK:
		return broke(saysSettled, "slot %s was never committed", r.Active)
	case natureOf(d.version(runs)) != good:
		return broke(saysSettled, "set %s runs", d.version(runs))
	case d.runs.Boot != r.Boot || bootctl.Digest(d.runs.Digest) != runs.Digest:
		return broke(saysSettled, "%+v is published, slot %s with %s is committed", d.runs, r.Active, runs.Digest)
	}
	return violation{}
}

// updatesGoOn takes the device through one more update.
func updatesGoOn(d *device) violation {
	serial, err := d.stage(nextGood)
	if err == nil {
		err = d.switchTo(serial)
	}
	if err == nil {
		d.attempts = 0
		err = d.settle()
	}
	if err != nil {
		return broke(saysGoesOn, "%v", err)
	}
	if sees := d.see(); sees.active != nextGood || sees.trial {
		return broke(saysGoesOn, "it goes by %+v", sees)
	}
	return violation{}
}

// diskIsClean checks everything on the disk of a device that was started after the last fault.
func diskIsClean(d *device) violation {
	r := d.engine.Record()
	allowed := []string{"./", "sets/", recordFile, "active"}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged} {
		if c := r.Slot(slot); !c.IsEmpty() {
			allowed = append(allowed, slot.String(), "sets/"+c.Digest.String()+"/")
		}
	}
	for _, line := range d.disk.Snapshot() {
		name, rest, _ := strings.Cut(line, " ")
		if name == "active" && rest != "-> "+r.Active.String() {
			return broke(saysClean, "the link says %q, the record %s", rest, r.Active)
		}
		if !slices.ContainsFunc(allowed, func(a string) bool {
			return name == a || len(a) > len("sets/") &&
				strings.HasPrefix(name, a)
		}) {
			return broke(saysClean, "there is %s", name)
		}
	}
	return violation{}
}
