package main

import (
	"encoding/hex"
	"fmt"
	"path/filepath"

	"nexus/libupdates/bootctl"
	"nexus/selftest/oracle"
)

// A promise checks what must hold on the disk of a device that was given these sets.
type promise struct {
	sets    oracle.Sets
	mayFail bool // a good set may be in quarantine as well, because its tries may have been cut short
}

// check compares the content of a disk after a cut with what was acknowledged before it and what was in progress.
func (p promise) check(f *found, was stand, ahead []stand) error {
	switch {
	case f.fresh && was.Made:
		return fmt.Errorf("the disk is blank, but was formatted")
	case f.fresh:
		return nil
	case !f.recorded && was.Recorded:
		return fmt.Errorf("the boot record is gone")
	}
	for _, rule := range []func(*found, stand, []stand) error{p.wholly, p.confirmed, p.staged, p.quarantined, p.floor} {
		if err := rule(f, was, ahead); err != nil {
			return err
		}
	}
	return nil
}

// wholly checks that each slot holds exactly the contents of one archive, or nothing.
func (p promise) wholly(f *found, _ stand, _ []stand) error {
	for i, content := range f.slots {
		if content.Digest.IsZero() {
			continue
		}
		digest := content.Digest.String()
		set := p.sets.Known(digest)
		if set == nil {
			return fmt.Errorf("slot %d holds %s, which was never staged", i, digest)
		}
		if err := oracle.SameFiles(filepath.Join(f.system, "sets", digest), set.Files); err != nil {
			return fmt.Errorf("slot %d: %w", i, err)
		}
	}
	return nil
}

// confirmed checks that the active set is the one that was confirmed last, or the one whose commit was in progress, and
// never one that was not confirmed.
func (p promise) confirmed(f *found, was stand, ahead []stand) error {
	digest := digestIn(f.record, f.record.Active)
	if digest == "" {
		if was.Active == "" {
			return nil
		}
		return fmt.Errorf("slot %s is active and empty, but %s was confirmed", f.record.Active, was.Active)
	}
	for _, s := range append([]stand{was}, ahead...) {
		if set := named(p.sets, s.Active); set != nil && set.Digest == digest {
			return nil
		}
	}
	return fmt.Errorf("%.12s is active, but %q was confirmed", digest, was.Active)
}

// staged checks that a set that was staged is still there: staged, switched to, or discarded by the step in progress.
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
	return fmt.Errorf("%s was staged, but is neither staged nor pending nor active", was.Staged)
}

// quarantined checks that the failed set is still in quarantine, and no good one is.
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

// floor checks that the version floor is unchanged, or the one that the step in progress sets.
func (p promise) floor(f *found, was stand, ahead []stand) error {
	for _, s := range append([]stand{was}, ahead...) {
		if f.record.Floor == s.Floor {
			return nil
		}
	}
	return fmt.Errorf("the version floor is %q, but was %q", f.record.Floor, was.Floor)
}

// digestIn returns the digest of a slot's set according to a record, in hex, or "" for no slot or an empty one.
func digestIn(record bootctl.Record, slot bootctl.Slot) string {
	content := record.Slot(slot)
	if content.IsEmpty() {
		return ""
	}
	return hex.EncodeToString(content.Digest[:])
}
