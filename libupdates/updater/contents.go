package updater

import (
	"bytes"
	"slices"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// readSlots looks at what the slots hold.
func (e *Engine) readSlots() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unread = true
	return e.look()
}

// look reads the slots unless it is known what they hold. The caller holds mu.
func (e *Engine) look() error {
	if !e.unread {
		return nil
	}
	a, err := e.lookAt(bootctl.A)
	if err != nil {
		return err
	}
	b, err := e.lookAt(bootctl.B)
	if err != nil {
		return err
	}
	staged, err := e.lookAt(bootctl.Staged)
	if err != nil {
		return err
	}
	e.contents, e.unread = [3]slots.Content{a, b, staged}, false
	return nil
}

// lookAt reads one slot. Of a damaged one it is known whether it still leads to a set, and to which: the record knows
// the rest, and the check before it runs finds the damage. A staged set with an index that cannot be read is none.
func (e *Engine) lookAt(slot bootctl.Slot) (slots.Content, error) {
	content, err := e.store.Content(slot)
	_, damaged := slots.DamageOf(err)
	switch {
	case damaged && slot == bootctl.Staged:
		return slots.Content{}, nil
	case damaged:
		return content, nil
	}
	return content, err
}

// Held returns the digests of the payloads of all sets on the device, in ascending order. The payloads themselves have
// not been read.
func (e *Engine) Held() []nxs.Digest {
	e.mu.Lock()
	defer e.mu.Unlock()
	var held []nxs.Digest
	for _, content := range e.contents {
		for _, b := range content.Bundles {
			held = append(held, b.PayloadSHA256)
		}
	}
	slices.SortFunc(held, func(a, b nxs.Digest) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(held)
}

// touched says that a slot may have changed, also where the step that was to change it failed.
func (e *Engine) touched() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unread = true
}

// found is what slots a and b hold, and what is staged, as the record has it.
func (e *Engine) found() (a, b, staged bootctl.Content) {
	return e.recorded(e.contents[0]), e.recorded(e.contents[1]), e.recorded(e.contents[2])
}

// content is what a slot holds.
func (e *Engine) content(slot bootctl.Slot) slots.Content {
	if slot == bootctl.None {
		return slots.Content{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.contents[slot-bootctl.A]
}

// recorded is what a slot holds as the record has it, under the policy of this device.
func (e *Engine) recorded(c slots.Content) bootctl.Content {
	if c.Damage != "" {
		return bootctl.Content{Damage: c.Damage}
	}
	return e.candidate(c.Digest, nxs.Index{SystemVersion: c.Version, VersionFloor: c.Floor})
}

// candidate is a set as the record would have it.
func (e *Engine) candidate(digest nxs.Digest, x nxs.Index) bootctl.Content {
	if digest.IsZero() {
		return bootctl.Content{}
	}
	return bootctl.Content{Digest: bootctl.Digest(digest), Version: x.SystemVersion, Floor: e.cfg.Floor.of(x)}
}
