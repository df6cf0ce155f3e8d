package slots

import (
	"fmt"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Core is the core of a slot's set, with its proof for a recipient that does not trust the reader.
type Core struct {
	Index     []byte           // the raw index, as signed
	Signature []byte           // and further ones behind it, as an nxs.VerifyFunc takes them
	Entry     nxs.Entry        // the core's entry in the index
	Payload   durable.ReadFile // has the signed size; its digest is not checked
}

// OpenCore opens the core in a slot. The caller closes the payload. Refused as UnknownBundle if the slot is empty or
// its set has no core.
func (s *Store) OpenCore(slot bootctl.Slot) (*Core, error) {
	core, err := openCore(s.fs, slot)
	if err != nil {
		return nil, fmt.Errorf("cannot open the core in slot %s: %w", slot, err)
	}
	return core, nil
}

func openCore(fsys durable.ReadFS, slot bootctl.Slot) (*Core, error) {
	if err := checkSlot(slot); err != nil {
		return nil, err
	}
	d, err := resolve(fsys, slot)
	if err != nil {
		return nil, err
	}
	if d.IsZero() {
		return nil, refusal.New(refusal.UnknownBundle, "the slot is empty")
	}
	set := stored{fsys, d}
	raw, signature, err := set.signed()
	if err != nil {
		return nil, err
	}
	index, err := nxs.ParseIndex(raw) // the digest is that of the set which the slot was verified to hold
	if err != nil {
		return nil, err
	}
	entry, carried := nxs.Core(index.Bundles)
	if !carried {
		return nil, refusal.New(refusal.UnknownBundle, "its set does not contain %s", nxs.CoreName)
	}
	payload, err := set.openPayload(entry)
	if err != nil {
		return nil, err
	}
	return &Core{Index: raw, Signature: signature, Entry: entry, Payload: payload}, nil
}
