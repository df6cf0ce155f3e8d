package slots

import (
	"errors"
	"fmt"
	"io/fs"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// activeLink is a link to the slot that was confirmed last. It outlives the boot record where that is kept in memory:
// after a cut the device starts with the set that last proved healthy, never with one that was merely staged, or that
// was rolled back.
const activeLink = "active"

// Active returns the slot that was confirmed last; None where none ever was. Refused as SlotMismatch where something
// else is in place of the link, or it leads elsewhere.
func (s *Store) Active() (bootctl.Slot, error) {
	target, err := s.fs.Readlink(activeLink)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bootctl.None, nil
	case errors.Is(err, durable.ErrKind):
		return bootctl.None, refusal.New(refusal.SlotMismatch, "the active link is no link")
	case err != nil:
		return bootctl.None, fmt.Errorf("cannot read the active slot: %w", err)
	case target == bootctl.A.String():
		return bootctl.A, nil
	case target == bootctl.B.String():
		return bootctl.B, nil
	}
	return bootctl.None, refusal.New(refusal.SlotMismatch, "the active link leads to %q, which is no slot", target)
}

// SetActive makes a slot the confirmed one, durably, in one step. After an error either may be. A device with nothing
// in its slots has no link yet: so a link that leads to an empty slot says that the slot has lost its set.
func (s *Store) SetActive(slot bootctl.Slot) error {
	if err := checkSlot(slot); err != nil {
		return fmt.Errorf("cannot set the active slot: %w", err)
	}
	now, err := s.Active()
	if err == nil && now == slot {
		return nil
	}
	if err == nil && now == bootctl.None && slot == bootctl.A {
		if held, err := resolved(s.fs, slot); err == nil && held.IsZero() {
			return nil
		}
	}
	if err := s.replaceLink(slot.String(), activeLink); err != nil {
		return fmt.Errorf("cannot set the active slot: %w", err)
	}
	return s.fs.SyncDir(root)
}
