package slots

import (
	"errors"
	"fmt"
	"io/fs"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// activeLink is a link to the slot that was confirmed last. It survives a power cut even if the boot record is only in
// memory. The device then starts the set that last proved healthy, never one that was only staged or was rolled back.
const activeLink = "active"

// Active returns the slot that was confirmed last, or None if no slot ever was. Refused as SlotMismatch if the active
// link is not a link, or does not lead to a slot.
func (s *Store) Active() (bootctl.Slot, error) {
	target, err := s.fs.Readlink(activeLink)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bootctl.None, nil
	case errors.Is(err, durable.ErrKind):
		return bootctl.None, refusal.New(refusal.SlotMismatch, "the active link is not a link")
	case err != nil:
		return bootctl.None, fmt.Errorf("cannot read the active slot: %w", err)
	case target == bootctl.A.String():
		return bootctl.A, nil
	case target == bootctl.B.String():
		return bootctl.B, nil
	}
	return bootctl.None, refusal.New(refusal.SlotMismatch, "the active link leads to %q, which is not a slot", target)
}

// SetActive records a slot as the confirmed one, durably and in one step. After an error, either the old or the new
// slot may be recorded. A device whose slots were never filled has no active link, so an active link to an empty slot
// means that the slot has lost its set.
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
	if err := s.fs.replaceLink(slot.String(), activeLink); err != nil {
		return fmt.Errorf("cannot set the active slot: %w", err)
	}
	return s.fs.SyncDir(root)
}
