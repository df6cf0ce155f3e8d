package bootctl_test

import (
	"slices"

	"nexus/libupdates/bootctl"
)

// A device is one state of the model: what the disk shows, what the owner of the record knows, and what runs. It is a
// value.
type device struct {
	// What outlives the owner, and a cut where the record is kept on disk.
	kept  bootctl.Record // the newest record whose write was acknowledged: the owner goes by it
	spare spare          // the other copy
	link  bootctl.Slot   // the slot that was confirmed last, as the slots know it; None before there was anything in it
	disk  [3]byte        // the set in slots a and b, and the staged one, 0 for none

	// What a cut takes.
	doubt bool   // a write failed, so the owner does not know what a start would read
	down  bool   // the owner does not run: it could not make durable what it had read
	held  uint64 // number of the attempt that initd was given, 0 before the first
	up    bool   // whether the slot of that attempt was published
	runs  byte   // the set that is published, 0 for none

	// What only the model knows.
	// the set that was last found healthy in each slot, or that the device was delivered with; never for none
	proven [2]byte
	hurt   bool // whether the one fault of the medium has happened
}

// never is no set: nothing in a slot was ever found healthy.
const never = 0xff

// A spare is the copy that the next write replaces.
type spare struct {
	state  spareState
	record bootctl.Record // of an older or newer one
}

type spareState uint8

const (
	older spareState = iota // holds the record before the kept one
	newer                   // was written, but the owner was told that the write failed
	torn                    // is damaged
)

// start is a device as it leaves the factory: empty slots and a first record, which fills both copies.
func start() device {
	return device{kept: bootctl.New(), spare: spare{older, bootctl.New()}, proven: [2]byte{0, never}}
}

// outcome is what becomes of a write.
type outcome uint8

const (
	done    outcome = iota // durable and acknowledged
	linked                 // the link is durable, the record was never written
	tearing                // the record was written in part
	lost                   // the record is durable, and its writer is told that it is not
)

func outcomes() []outcome { return []outcome{done, linked, tearing, lost} }

func (o outcome) String() string { return [...]string{"done", "linked", "torn", "lost"}[o] }

// save writes a record as the owner does: first the link that the record builds on, then the copy that is not the
// newest.
func (d device) save(next bootctl.Record, o outcome) device {
	next = brief(next)
	if d.link != bootctl.None || next.Active != bootctl.A || d.on(bootctl.A) != 0 {
		d.link = next.Active
	}
	d.doubt = o != done
	switch o {
	case done:
		d.spare = spare{older, d.kept}
		d.kept = next
	case tearing:
		d.spare = spare{state: torn}
	case lost:
		d.spare = spare{newer, next}
	}
	return d
}

// put changes what a slot holds on disk.
func (d device) put(s bootctl.Slot, n byte) device {
	d.disk[s-bootctl.A] = n
	return d
}

// prove notes that what a slot holds was found healthy.
func (d device) prove(s bootctl.Slot) device {
	d.proven[s-bootctl.A] = d.on(s)
	return d
}

// isProven reports whether what a slot holds was found healthy there.
func (d device) isProven(s bootctl.Slot) bool { return d.proven[s-bootctl.A] == d.on(s) }

// on returns the set that a slot holds on disk.
func (d device) on(s bootctl.Slot) byte { return d.disk[s-bootctl.A] }

// found is the content of the slots, and what is staged, as it is read at boot.
func (d device) found(m machine) (a, b, staged bootctl.Content) {
	return m.content(d.disk[0]), m.content(d.disk[1]), m.content(d.disk[2])
}

// place moves the set that a durable record has on trial from where it was staged into its slot.
func (d device) place(r bootctl.Record) device {
	set := d.on(bootctl.Staged)
	if r.Pending == bootctl.None || set == 0 || set != number(r.Slot(r.Pending).Digest) {
		return d
	}
	return d.put(r.Pending, set).put(bootctl.Staged, 0)
}

// tidy makes the staged link lead to what is staged.
func (d device) tidy() device { return d.put(bootctl.Staged, number(d.kept.Staged.Digest)) }

// content is a set as it is read, 0 for none. Where the model has a floor, each set but the first asks for its own
// version.
func (m machine) content(n byte) bootctl.Content {
	if n == 0 {
		return bootctl.Content{}
	}
	c := set(n)
	if m.floor && n > 1 {
		c.Floor = c.Version
	}
	return c
}

// number is the set that a digest of the model names.
func number(d bootctl.Digest) byte { return d[0] }

// brief drops the events that decide nothing, so that a record of the model stays small however long the way to it was.
func brief(r bootctl.Record) bootctl.Record {
	r.History = slices.DeleteFunc(slices.Clone(r.History), func(e bootctl.Event) bool {
		return e.Op != bootctl.OpAttempt || e.Boot != r.Boot
	})
	return r
}

// recordKey is what decides about a record's future. Numbers grow without end and are compared, never read, so they are
// not in it.
type recordKey struct {
	active, pending         bootctl.Slot
	staged                  byte
	tries, watch            uint8
	healthy, begun, ordered bool
	sets                    [2]byte
	good                    [2]bool
	quarantined             uint8 // a bit for each set
	floor                   byte  // the set that has it as its version
	damaged                 [2]bool
}

// floorOf is the set whose version the floor is, 0 for none.
func floorOf(r bootctl.Record) byte {
	if r.Floor == "" {
		return 0
	}
	return r.Floor[len("1.")] - '0'
}

func keyOf(r bootctl.Record) recordKey {
	k := recordKey{
		active: r.Active, pending: r.Pending, staged: number(r.Staged.Digest), tries: r.TriesLeft, watch: r.WatchLeft,
		healthy: r.HealthOK, begun: r.Begun(),
		// elsewhere nothing follows from it
		ordered: r.EndOrdered && r.Begun() && (r.Pending != bootctl.None || r.WatchLeft > 0),
		sets:    [2]byte{number(r.Slots[0].Digest), number(r.Slots[1].Digest)},
		good:    [2]bool{r.Slots[0].Good, r.Slots[1].Good},
		floor:   floorOf(r),
		damaged: [2]bool{r.Slots[0].Damage != "", r.Slots[1].Damage != ""},
	}
	for _, q := range r.Quarantine {
		k.quarantined |= 1 << number(q.Digest)
	}
	return k
}

// deviceKey is what decides about a device's future.
type deviceKey struct {
	kept, spare recordKey
	state       spareState
	link        bootctl.Slot
	disk        [3]byte
	doubt, down bool
	up          bool
	current     bool // initd holds the attempt that the record is at
	behind      bool // initd holds the attempt that a newer record, unacknowledged, is at
	runs        byte
	proven      [2]byte
	hurt        bool
}

func (d device) key() deviceKey {
	k := deviceKey{
		kept: keyOf(d.kept), state: d.spare.state, link: d.link, disk: d.disk, doubt: d.doubt, down: d.down, up: d.up,
		runs:    d.runs,
		current: d.held == d.kept.Boot, proven: d.proven, hurt: d.hurt,
	}
	switch {
	case d.spare.state == newer:
		k.spare = keyOf(d.spare.record)
		k.behind = d.held == d.spare.record.Boot
	case d.spare.state == older && !d.hurt: // after the one fault of the medium nothing can bring the older copy back
		k.spare = keyOf(d.spare.record)
		k.behind = d.held == d.spare.record.Boot
	}
	if d.hurt && k.state == torn {
		k.state = older
	}
	return k
}
