package slots

import (
	"path"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

const (
	root     = "."
	setsDir  = "sets"
	stageDir = setsDir + "/.stage"
	keptDir  = setsDir + "/.kept" // a stage that can be resumed
	newLink  = ".new"             // suffix of a slot's link before it takes the slot's name
	aside    = ".aside"           // suffix of a damaged set's directory that can be neither repaired nor removed

	mendedFile = "mended" // in the directory of a stage: a second name of an intact payload, before it replaces a damaged one
)

func setDir(d nxs.Digest) string { return path.Join(setsDir, d.String()) }

func bundleDir(set, name string) string { return path.Join(set, name+nxb.Suffix) }

func manifestPath(set, name string) string { return path.Join(bundleDir(set, name), nxb.ManifestFile) }

func payloadPath(set, name string) string { return path.Join(bundleDir(set, name), nxb.PayloadFile) }

// digestOf returns the digest in a link's target.
func digestOf(slot bootctl.Slot, target string) (nxs.Digest, error) {
	name, ok := strings.CutPrefix(target, setsDir+"/")
	if ok {
		if d, err := nxs.ParseDigest(name); err == nil && target == setDir(d) {
			return d, nil
		}
	}
	return nxs.Digest{}, refusal.New(refusal.SlotMismatch, "%s leads to %q, which is not a set", called(slot), target)
}

// links are the names that a set may be reached by: the slots, then the staged set.
func links() [3]bootctl.Slot { return [...]bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged} }

// called is what an error calls a slot, or Staged.
func called(slot bootctl.Slot) string {
	if slot == bootctl.Staged {
		return "the staged set"
	}
	return "slot " + slot.String()
}

// checkLink refuses a value that is neither a slot nor Staged.
func checkLink(slot bootctl.Slot) error {
	if slot == bootctl.Staged {
		return nil
	}
	return checkSlot(slot)
}

// checkSlot refuses a value that is not a slot.
func checkSlot(slot bootctl.Slot) error {
	if slot != bootctl.A && slot != bootctl.B {
		return refusal.New(refusal.SlotMismatch, "there is no slot %d", slot)
	}
	return nil
}
