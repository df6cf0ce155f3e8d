package powercut

import (
	"fmt"
	"path/filepath"
	"slices"

	"nexus/selftest/oracle"
)

// A promise checks what must hold for a device that was given these sets.
type promise struct {
	sets    oracle.Sets
	mayFail bool // a good set may be in quarantine as well, because its tries may have been cut short
}

// onDisk compares the content of a disk after a cut with what was acknowledged before it and what was in progress.
func (p promise) onDisk(f *found, was stand, ahead []stand) error {
	switch {
	case f.fresh && was.Made:
		return fmt.Errorf("the disk is blank, but was formatted")
	case f.fresh:
		return nil
	case !f.recorded && was.Recorded:
		return fmt.Errorf("the boot record is gone")
	}
	if err := p.wholly(f); err != nil {
		return err
	}
	return p.told(f.state, was, ahead)
}

// told compares a state, as an operator is told or as the disk has it, in the same way.
func (p promise) told(now oracle.State, was stand, ahead []stand) error {
	for _, rule := range []func(oracle.State, stand, []stand) error{p.confirmed, p.staged, p.quarantined, p.floor} {
		if err := rule(now, was, ahead); err != nil {
			return err
		}
	}
	if !now.Persistent {
		return fmt.Errorf("the record is not persistent")
	}
	return nil
}

// wholly checks that each slot, and the link to a staged set, holds exactly the contents of one archive, or nothing.
func (p promise) wholly(f *found) error {
	for _, place := range places {
		slot := place.String()
		digest := f.slots[slot]
		if digest == "" {
			continue
		}
		set := p.sets.Known(digest)
		if set == nil {
			return fmt.Errorf("slot %s holds %s, which was never staged", slot, digest)
		}
		if err := oracle.SameFiles(filepath.Join(f.system, "sets", digest), set.Files); err != nil {
			return fmt.Errorf("slot %s: %w", slot, err)
		}
	}
	return nil
}

// confirmed checks that the active set is the one that was confirmed last, or the one whose commit was in progress, and
// never one that was not confirmed. Before the first one nothing is active, or the factory set.
func (p promise) confirmed(now oracle.State, was stand, ahead []stand) error {
	digest := now.Active().Digest()
	if was.Active == "" && (digest == "" || digest == named(p.sets, factory).Digest) {
		return nil
	}
	if digest == "" {
		return fmt.Errorf("slot %s is active and empty, but %s was confirmed", now.ActiveSlot, was.Active)
	}
	for _, s := range append([]stand{was}, ahead...) {
		if set := named(p.sets, s.Active); set != nil && set.Digest == digest {
			return nil
		}
	}
	return fmt.Errorf("%.12s is active, but %q was confirmed", digest, was.Active)
}

// staged checks that a set that was staged is still there: staged, switched to, or discarded by the step in progress.
func (p promise) staged(now oracle.State, was stand, ahead []stand) error {
	if was.Staged == "" || len(ahead) > 0 && ahead[0].Drops {
		return nil
	}
	want := named(p.sets, was.Staged).Digest
	for _, slot := range []*string{now.StagedSlot, now.PendingSlot, &now.ActiveSlot} {
		if slot != nil && now.Slot(*slot).Digest() == want {
			return nil
		}
	}
	return fmt.Errorf("%s was staged, but is neither staged nor pending nor active", was.Staged)
}

// quarantined checks that the failed set is still in quarantine, and no good one is.
func (p promise) quarantined(now oracle.State, was stand, _ []stand) error {
	bad := named(p.sets, broken).Digest
	good := slices.IndexFunc(now.Quarantine, func(q oracle.Quarantined) bool { return q.IndexSHA256 != bad })
	if good >= 0 && !p.mayFail {
		return fmt.Errorf("%.12s is in quarantine (%s)", now.Quarantine[good].IndexSHA256, now.Quarantine[good].Reason)
	}
	if was.Quarantine && now.Quarantined(bad) == "" {
		return fmt.Errorf("%s is no longer in quarantine", broken)
	}
	return nil
}

// floor checks that the version floor is unchanged, or the one that the step in progress sets.
func (p promise) floor(now oracle.State, was stand, ahead []stand) error {
	floor := oracle.Text(now.VersionFloor)
	if slices.ContainsFunc(append([]stand{was}, ahead...), func(s stand) bool { return s.Floor == floor }) {
		return nil
	}
	return fmt.Errorf("the version floor is %q, but was %q", floor, was.Floor)
}
