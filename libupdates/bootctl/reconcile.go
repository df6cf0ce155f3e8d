package bootctl

import (
	"fmt"

	"nexus/libupdates/refusal"
)

// Reconcile makes the record agree with the sets found on disk, and says what it changed, one line each, slot a first. An image
// becomes durable before the record, so a cut between the two leaves a slot the record does not know: here the two meet. Goodness
// belongs to a set in a slot, so it survives only where the digest is the same.
//
// A staged slot that holds another set is no longer staged. A pending slot that holds another set, or none, is rolled back as
// PublishFailed: nothing may be on trial that nobody switched to. Applied to its own result, Reconcile changes nothing.
func (r Record) Reconcile(a, b Content) (Record, []string) {
	next := r.clone()
	var changes []string
	for _, found := range []struct {
		slot Slot
		Content
	}{{A, a}, {B, b}} {
		slot, was := found.slot, r.Slot(found.slot)
		if was.Digest == found.Digest {
			if found.Version != "" { // else its index cannot be read, and the record knows more
				was.Floor = found.asFound().Floor // as the device's policy has it now
				next.put(slot, was)
			}
			continue
		}
		changes = append(changes, fmt.Sprintf("slot %s: recorded %s, found %s", slot, was.name(), found.name()))
		switch slot {
		case r.Pending:
			next.endTrial(refusal.PublishFailed, fmt.Sprintf("slot %s no longer holds the set on trial", slot))
		case r.Staged:
			next.Staged = None
		case r.Active:
			next.HealthOK = false
		}
		next.put(slot, found.asFound())
		next.WatchLeft = 0 // one of the two sets that a watch is about is gone
	}
	return next, changes
}

// asFound is the content as a record may hold it: a set nobody has confirmed, or nothing at all.
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
