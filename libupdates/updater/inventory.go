package updater

import (
	"bytes"
	"slices"
	"sync"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// An inventory is what the slots hold, as far as it was read. The store is used by whoever has the place of a stage, or
// makes a step.
type inventory struct {
	store *slots.Store
	floor FloorPolicy

	mu       sync.Mutex
	contents [3]slots.Content // of slot a and slot b, and what is staged
	unread   bool             // a slot may have changed since contents was read
}

// read looks at what the slots hold.
func (v *inventory) read() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.unread = true
	return v.look()
}

// look reads the slots unless it is known what they hold. The caller holds mu.
func (v *inventory) look() error {
	if !v.unread {
		return nil
	}
	var all [3]slots.Content
	for i := range all {
		var err error
		if all[i], err = v.lookAt(bootctl.A + bootctl.Slot(i)); err != nil {
			return err
		}
	}
	v.contents, v.unread = all, false
	return nil
}

// lookAt reads one slot. Of a damaged one it is known whether it still leads to a set, and to which: the record knows
// the rest, and the check before it runs finds the damage. A staged set with an index that cannot be read is none.
func (v *inventory) lookAt(slot bootctl.Slot) (slots.Content, error) {
	content, err := v.store.Content(slot)
	_, damaged := slots.DamageOf(err)
	switch {
	case damaged && slot == bootctl.Staged:
		return slots.Content{}, nil
	case damaged:
		return content, nil
	}
	return content, err
}

// touched says that a slot may have changed, also where the step that was to change it failed.
func (v *inventory) touched() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.unread = true
}

// all is what slot a and slot b hold, and what is staged, as it was last read.
func (v *inventory) all() [3]slots.Content {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.contents
}

// content is what a slot holds.
func (v *inventory) content(slot bootctl.Slot) slots.Content {
	if slot == bootctl.None {
		return slots.Content{}
	}
	return v.all()[slot-bootctl.A]
}

// found is what slots a and b hold, and what is staged, as the record has it.
func (v *inventory) found() (a, b, staged bootctl.Content, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err = v.look()
	return v.floor.recorded(v.contents[0]), v.floor.recorded(v.contents[1]), v.floor.recorded(v.contents[2]), err
}

// held is the digests of the payloads of all sets, in ascending order.
func (v *inventory) held() []nxs.Digest {
	var held []nxs.Digest
	for _, content := range v.all() {
		for _, b := range content.Bundles {
			held = append(held, b.PayloadSHA256)
		}
	}
	slices.SortFunc(held, func(a, b nxs.Digest) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(held)
}
