package chaos_test

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/slots"
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
	if !a.first(a.rested, wreckKey{kind: d.kind, disk: d.disk.Sum(), may: fmt.Sprint(sees, d.runs, started, d.left),
		boot: d.boot}) {
		return
	}
	d.check(deviceIsSettled(d))
	if started {
		d.check(diskIsClean(d))
		d.check(payloadsAreKept(d))
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

// payloadsAreKept checks that the kernel verifies the payloads of all sets that were staged on a file system with
// fs-verity, and of the one that runs. The factory set was staged before.
func payloadsAreKept(d *device) violation {
	r := d.engine.Record()
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged} {
		c := r.Slot(slot)
		if d.kind != onVerity || c.IsEmpty() || d.version(c) == factory && slot != r.Active {
			continue
		}
		content, err := contentOf(d.disk.Clone(), slot)
		if err != nil || content.Unkept != noDigest {
			return broke(saysKept, "%s in slot %s: %s, %v", c.Version, slot, content.Unkept, err)
		}
	}
	return violation{}
}

func contentOf(disk *durabletest.Disk, slot bootctl.Slot) (slots.Content, error) {
	store, err := slots.Open(disk)
	if err != nil {
		return slots.Content{}, err
	}
	return store.Content(slot)
}

// noDigest is why the kernel does not verify the one payload of each set that has no digest for it.
const noDigest = "the index has no fs-verity digest"

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
	if d.kind == keeping {
		allowed = append(allowed, service+"/")
	}
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
