package main

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"nexus/libupdates/bootctl"
	"nexus/selftest/oracle"
)

// A promise is what must hold on the disk of a device that these sets were brought to.
type promise struct {
	sets    oracle.Sets
	mayFail bool // also a good set may be in quarantine: its tries may have been cut short
}

// check holds what is on a disk after a cut against what had been acknowledged before it, and what was under way.
func (p promise) check(f *found, was stand, ahead []stand) error {
	switch {
	case f.fresh && was.Made:
		return fmt.Errorf("the disk is blank, after it was made")
	case f.fresh:
		return nil
	case !f.recorded && was.Recorded:
		return fmt.Errorf("there is no boot record, after there was one")
	}
	for _, rule := range []func(*found, stand, []stand) error{p.wholly, p.confirmed, p.staged, p.quarantined, p.floor} {
		if err := rule(f, was, ahead); err != nil {
			return err
		}
	}
	return nil
}

// wholly wants each slot to hold exactly what some archive has, or nothing.
func (p promise) wholly(f *found, _ stand, _ []stand) error {
	for i, content := range f.slots {
		if content.Digest.IsZero() {
			continue
		}
		digest := content.Digest.String()
		set := p.sets.Known(digest)
		if set == nil {
			return fmt.Errorf("slot %d holds %s, which nobody brought", i, digest)
		}
		if err := oracle.SameFiles(filepath.Join(f.system, "sets", digest), set.Files); err != nil {
			return fmt.Errorf("slot %d: %w", i, err)
		}
	}
	return nil
}

// confirmed wants the set that was confirmed last to be the one that is active: the old or, where that was under way,
// the new one; and never one that was not confirmed.
func (p promise) confirmed(f *found, was stand, ahead []stand) error {
	digest := digestIn(f.record, f.record.Active)
	if digest == "" {
		if was.Active == "" {
			return nil
		}
		return fmt.Errorf("slot %s is active and empty, and %s was confirmed", f.record.Active, was.Active)
	}
	for _, s := range append([]stand{was}, ahead...) {
		if set := named(p.sets, s.Active); set != nil && set.Digest == digest {
			return nil
		}
	}
	return fmt.Errorf("%.12s is active, and %q was confirmed", digest, was.Active)
}

// staged wants a set that was staged to be there: staged, switched to, or dropped by the step that was under way.
func (p promise) staged(f *found, was stand, ahead []stand) error {
	if was.Staged == "" || len(ahead) > 0 && ahead[0].Drops {
		return nil
	}
	want := named(p.sets, was.Staged).Digest
	for _, slot := range []bootctl.Slot{f.record.Staged, f.record.Pending, f.record.Active} {
		if digestIn(f.record, slot) == want {
			return nil
		}
	}
	return fmt.Errorf("%s was staged, and is neither staged nor pending nor active", was.Staged)
}

// quarantined wants the set that has failed to stay out, and no good one with it.
func (p promise) quarantined(f *found, was stand, _ []stand) error {
	bad := named(p.sets, broken).Digest
	there := false
	for _, q := range f.record.Quarantine {
		digest := hex.EncodeToString(q.Digest[:])
		if digest != bad && !p.mayFail {
			return fmt.Errorf("%.12s is in quarantine (%s)", digest, q.Reason)
		}
		there = there || digest == bad
	}
	if was.Quarantine && !there {
		return fmt.Errorf("%s is no longer in quarantine", broken)
	}
	return nil
}

// floor wants the version floor where it was, or where the step under way brings it.
func (p promise) floor(f *found, was stand, ahead []stand) error {
	for _, s := range append([]stand{was}, ahead...) {
		if f.record.Floor == s.Floor {
			return nil
		}
	}
	return fmt.Errorf("the version floor is %q, and was %q", f.record.Floor, was.Floor)
}

// digestIn is the digest of what a record has in a slot, in hex; empty for no slot and an empty one.
func digestIn(record bootctl.Record, slot bootctl.Slot) string {
	content := record.Slot(slot)
	if content.IsEmpty() {
		return ""
	}
	return hex.EncodeToString(content.Digest[:])
}
