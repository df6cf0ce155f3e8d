package bootctl

import (
	"fmt"

	"nexus/libupdates/refusal"
)

// Reconcile makes the record agree with the sets found on disk, and says what it changed, one line each, the standby
// slot first and the staged set last. Another set in the standby slot than the record knows is taken note of, and is
// not good: goodness belongs to a set in a slot, so it survives only where the digest is the same. A staged set that is
// gone is no longer staged; one that only the disk knows never becomes staged.
//
// Every other difference is damage, as Damage has it: nothing of ours takes a set away that the record names, or
// changes the slot that runs. The mark is MissingEntry, SlotMismatch, or the one that comes with what was found.
// Applied to its own result, Reconcile changes nothing.
func (r Record) Reconcile(a, b, staged Content) (Record, []string) {
	next := r.draft()
	var changes []string
	found := [...]Content{A: a, B: b}
	for _, slot := range []Slot{r.Standby(), r.Active} {
		was, is := r.Slot(slot), found[slot]
		lost := !was.IsEmpty() && (is.IsEmpty() || slot == r.Active || slot == r.Pending)
		switch {
		case was.Digest == is.Digest:
			if is.Version != "" { // else its index cannot be read, and the record knows more
				was.Floor = is.asFound().Floor // as the device's policy has it now
				next.put(slot, was)
			}
			continue
		case lost && was.Damage != "":
			continue // it is marked already
		case lost:
			next.lose(slot, is)
		default:
			next.take(slot, is)
		}
		changes = append(changes, fmt.Sprintf("slot %s: recorded %s, found %s", slot, was.name(), is.name()))
	}
	next.findStaged(staged, found[next.Standby()])
	if was := r.Staged; was.Digest != next.Staged.Digest {
		changes = append(changes, fmt.Sprintf("staged set: recorded %s, found %s", was.name(), staged.name()))
	}
	return next.Record, changes
}

// findStaged takes back the stage of a set that is not there. An older version staged in the standby slot.
func (r *draft) findStaged(staged, standby Content) {
	for _, is := range []Content{staged, standby} {
		if is.Digest != r.Staged.Digest {
			continue
		}
		if is.Version != "" {
			r.Staged.Floor = is.asFound().Floor // as the device's policy has it now
		}
		r.recheckStaged()
		return
	}
	r.Staged = Content{}
}

// take records a set that nobody has switched to.
func (r *draft) take(slot Slot, is Content) {
	if slot == r.Active {
		r.HealthOK = false
	}
	r.put(slot, is.asFound())
	r.WatchLeft = 0 // one of the two sets that a watch is about is gone
}

// lose marks a slot whose set is gone. If it then is the standby slot, what was found instead is recorded.
func (r *draft) lose(slot Slot, is Content) {
	reason, detail := refusal.MissingEntry, fmt.Sprintf("the link of slot %s is missing", slot)
	if !is.IsEmpty() {
		reason, detail = refusal.SlotMismatch, fmt.Sprintf("slot %s holds another set", slot)
	} else if is.Damage != "" {
		reason, detail = is.Damage, fmt.Sprintf("slot %s leads to no set", slot)
	}
	r.Record, _ = r.Damage(slot, reason, detail) // refused for an empty slot only
	if slot == r.Standby() && !is.IsEmpty() {
		r.take(slot, is)
	}
}

// asFound returns the content as a record may have it: an unconfirmed set, or nothing.
func (c Content) asFound() Content {
	if c.IsEmpty() {
		return Content{}
	}
	return Content{Digest: c.Digest, Version: clip(c.Version, maxVersion), Floor: clip(c.Floor, maxVersion)}
}

func (c Content) name() string {
	if c.IsEmpty() {
		return "nothing"
	}
	return fmt.Sprintf("%s (%s)", c.Version, c.Digest)
}
