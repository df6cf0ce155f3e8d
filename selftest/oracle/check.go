package oracle

import "fmt"

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
