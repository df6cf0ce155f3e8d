package updater

import (
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// A HandOver says which core has to take over before anything of a slot runs: a set runs on the core that it was signed
// with.
type HandOver uint8

// What takes over.
const (
	NoHandOver HandOver = iota // the core that runs is the right one
	ToSlot                     // the core in the slot
	ToImage                    // the core that the machine started with
)

// handOver tells which core has to take over for a slot.
func (t *Trial) handOver(slot bootctl.Slot) HandOver {
	core, carried := nxs.Core(t.slots.content(slot).Bundles)
	switch {
	case carried && core.PayloadSHA256 != t.core:
		return ToSlot
	case !carried && !t.core.IsZero():
		return ToImage
	}
	return NoHandOver
}

// coreVersion is the version of the core that runs, if a slot holds its set; empty for the core of the image.
func coreVersion(contents [3]slots.Content, runs nxs.Digest) string {
	for _, content := range contents {
		if core, carried := nxs.Core(content.Bundles); carried && core.PayloadSHA256 == runs {
			return core.Version
		}
	}
	return ""
}

// OpenCore opens the core of the slot that the current attempt is for. The caller closes its payload.
func (t *Trial) OpenCore() (*slots.Core, error) {
	r := t.ledger.Record()
	if !r.Begun() {
		return nil, refusal.New(refusal.WrongBoot, "no attempt is under way")
	}
	return t.slots.store.OpenCore(r.Running())
}
