package oracle

import (
	"fmt"
	"slices"
)

// Check returns an error if the state must never occur, not even for a moment, on a system that was given only these
// sets.
func (s State) Check(sets Sets) error {
	active := sets.Known(s.Active().Digest())
	switch {
	case active == nil:
		return fmt.Errorf("slot %s is active and holds %q, which is no verified set", s.ActiveSlot, s.Active().Digest())
	case active.Fate != Good:
		return fmt.Errorf("slot %s is active and holds %q, which is %s", s.ActiveSlot, active.Name, active.Fate)
	case s.Standby().Digest() != "" && sets.Known(s.Standby().Digest()) == nil:
		return fmt.Errorf("the standby slot holds %q, which is no verified set", s.Standby().Digest())
	case s.PendingSlot != nil && s.Quarantined(s.Slot(*s.PendingSlot).Digest()) != "":
		return fmt.Errorf("slot %s is on trial and holds a quarantined set", *s.PendingSlot)
	case s.StagedSlot != nil && sets.Known(s.Staged()) == nil:
		return fmt.Errorf("%q is staged, which is no verified set", s.Staged())
	case s.StagedSlot != nil && s.Quarantined(s.Staged()) != "":
		return fmt.Errorf("%.12s is staged and quarantined", s.Staged())
	}
	return nil
}

// A Promise is what must hold of a system that was disturbed: what was acknowledged before, and what was under way.
// Sets are named by their digests.
type Promise struct {
	Active      []string // one of them is confirmed; "" stands for an empty slot
	Staged      string   // it is staged, on trial or confirmed; empty: no such promise
	Quarantined []string // they are in quarantine
	Floors      []string // the version floor is one of them; nil: no such promise
	Boot, Boots uint64   // the last boot number, and how many more there may be; both 0: no such promise
}

// Check returns what a state breaks of the promise.
func (p Promise) Check(now State) error {
	active, floor := now.Active().Digest(), Text(now.VersionFloor)
	isStaged := slices.ContainsFunc([]*string{now.StagedSlot, now.PendingSlot, &now.ActiveSlot},
		func(slot *string) bool {
			return slot != nil && now.Slot(*slot).Digest() == p.Staged
		})
	freed := slices.IndexFunc(p.Quarantined, func(digest string) bool { return now.Quarantined(digest) == "" })
	switch {
	case !slices.Contains(p.Active, active) && active == "":
		return fmt.Errorf("slot %s is active and empty", now.ActiveSlot)
	case !slices.Contains(p.Active, active):
		return fmt.Errorf("%.12s is active, which was neither confirmed nor brought", active)
	case p.Staged != "" && !isStaged:
		return fmt.Errorf("%.12s was staged, and is neither staged nor on trial nor active", p.Staged)
	case freed >= 0:
		return fmt.Errorf("%.12s is no longer in quarantine", p.Quarantined[freed])
	case p.Floors != nil && !slices.Contains(p.Floors, floor):
		return fmt.Errorf("the version floor is %q, want %q", floor, p.Floors)
	case p.Boot+p.Boots > 0 && (now.Boot < p.Boot || now.Boot > p.Boot+p.Boots):
		return fmt.Errorf("the boot number went from %d to %d", p.Boot, now.Boot)
	}
	return nil
}

// WrongHistory returns what is wrong in a history: only good sets may be committed, each by the attempt that ran it,
// and boot numbers must never decrease.
func WrongHistory(events []Event, sets Sets) (found []error) {
	for i, e := range events {
		if i > 0 && e.Boot < events[i-1].Boot {
			found = append(found, fmt.Errorf("history: boot %d stands after boot %d", e.Boot, events[i-1].Boot))
		}
		if e.Op == "rollback" && Text(e.Reason) == "" {
			found = append(found, fmt.Errorf("history: a rollback in boot %d without a reason", e.Boot))
		}
		if e.Op != "commit" {
			continue
		}
		if set := sets.Known(Text(e.IndexSHA256)); set == nil || set.Fate != Good {
			found = append(found, fmt.Errorf("history: %.12q was committed in boot %d", Text(e.IndexSHA256), e.Boot))
		}
		attempted := i == 0 // the list is bounded, so its beginning may be missing
		for _, before := range events[:i] {
			attempted = attempted || before.Op == "attempt" && before.Boot == e.Boot &&
				Text(before.Slot) == Text(e.Slot) && Text(before.IndexSHA256) == Text(e.IndexSHA256)
		}
		if !attempted {
			found = append(found, fmt.Errorf("history: slot %s was committed in boot %d, without an attempt of it",
				Text(e.Slot), e.Boot))
		}
	}
	return found
}
