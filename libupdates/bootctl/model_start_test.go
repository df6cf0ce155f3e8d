package bootctl_test

import "nexus/libupdates/bootctl"

// A machine says what is finite about a search.
type machine struct {
	name  string
	disk  bool  // whether the record outlives a cut; the slots and their link always do
	sets  byte  // how many sets there are
	tries uint8 // the most tries a switch gives
	floor bool  // whether sets ask for a version floor, and operators lower it
	rot   bool  // whether damage may be found in a slot, as the one fault of the medium
}

// medium is a fault of the medium that a start meets. A device has one in its life: two are beyond what two copies can
// promise.
type medium uint8

const (
	sound      medium = iota
	hurtNewest        // the copy that counts is damaged
	hurtSpare         // the other copy is damaged
	lostA             // slot a lost its set
	lostB             // slot b lost its set
	lostStaged        // the staged set is lost
)

func (m medium) String() string {
	return [...]string{"sound", "newest copy damaged", "other copy damaged", "slot a lost", "slot b lost",
		"staged set lost"}[m]
}

// starts hands on the ways in which the owner of the record dies, with everything or alone, and comes back.
func (d device) starts(m machine, each func(*step)) {
	s := step{name: "restart", before: d}
	for _, o := range outcomes() {
		if o != linked {
			s.outcome, s.after = o, d.restart(m, o)
			each(&s)
		}
	}
	s.cut, s.forgets = true, !m.disk
	faults := []medium{sound}
	if !d.hurt {
		faults = append(faults, lostA, lostB, lostStaged)
		if m.disk {
			faults = append(faults, hurtNewest, hurtSpare)
		}
	}
	for _, fault := range faults {
		for _, o := range outcomes() {
			if o == done || (m.disk && o != linked) {
				s.name, s.outcome, s.after = "cut, "+fault.String(), o, d.cut(m, fault, o)
				each(&s)
			}
		}
	}
}

// restart is what a new owner does while the system goes on: it reads, and publishes again what its predecessor had
// begun.
func (d device) restart(m machine, o outcome) device {
	d = d.load(m, o, sameBoot)
	if !d.down && d.kept.Begun() {
		was := d.up
		d = d.publish(d.kept.Running())
		d.up = d.up && was && d.held == d.kept.Boot
	}
	return d
}

// cut takes what is in memory, and starts again.
func (d device) cut(m machine, fault medium, o outcome) device {
	d.held, d.up, d.runs = 0, false, 0
	d.hurt = d.hurt || fault != sound
	switch fault {
	case lostA:
		d = d.put(bootctl.A, 0)
	case lostB:
		d = d.put(bootctl.B, 0)
	case lostStaged:
		d = d.put(bootctl.Staged, 0)
	}
	newest, other, readable := d.copies()
	switch {
	case !m.disk:
		readable = 0
	case fault == hurtNewest && readable == 2:
		d.kept, d.spare = other, spare{state: torn}
		return d.load(m, o, newBoot)
	case fault == hurtNewest:
		readable = 0
	case fault == hurtSpare:
		d.kept, d.spare = newest, spare{state: torn}
		return d.load(m, o, newBoot)
	}
	if readable == 0 { // no record is left: the link knows what was confirmed
		a, b, _ := d.found(m)
		resumed := brief(bootctl.Resume(d.link, a, b).Booted(bootctl.Power))
		d.kept, d.spare, d.link, d.down = resumed, spare{older, resumed}, resumed.Active, false
		d.doubt = false
		return d.put(bootctl.Staged, 0)
	}
	return d.load(m, o, newBoot)
}

// copies returns what the two copies hold, the one that counts first, and how many can be read.
func (d device) copies() (newest, other bootctl.Record, readable int) {
	switch d.spare.state {
	case newer:
		return d.spare.record, d.kept, 2
	case older:
		return d.kept, d.spare.record, 2
	default:
		return d.kept, bootctl.Record{}, 1
	}
}

// Whether the owner takes up the record in the boot in which it was written, or in a new one.
const (
	sameBoot = false
	newBoot  = true
)

// load reads the copy that counts, begins a new boot with it, makes it agree with the slots, and makes the result
// durable. Where that fails the owner ends.
func (d device) load(m machine, o outcome, isNew bool) device {
	if d.spare.state == newer {
		d.kept, d.spare = d.spare.record, spare{older, d.kept}
	}
	record := d.kept
	if isNew {
		record = record.Restart(bootctl.Power)
	}
	d = d.place(record)
	a, b, staged := d.found(m)
	record, _ = record.CatchUp(d.link, a, b)
	record, _ = record.Reconcile(a, b, staged)
	d = d.save(record, o)
	d.down, d.doubt = o != done, false
	if d.down {
		return d
	}
	return d.tidy()
}
