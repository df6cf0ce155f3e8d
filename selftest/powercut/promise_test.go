package powercut

import (
	"fmt"
	"path/filepath"

	"nexus/selftest/oracle"
)

// A promise checks what must hold for a device that was given these sets.
type promise struct {
	sets    oracle.Sets
	mayFail bool   // a good set may be in quarantine as well, because its tries may have been cut short
	boot    uint64 // the last boot number that is known, and how many more there may be; both 0: none is
	boots   uint64
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
	if err := p.ownStates(f.states, was); err != nil {
		return err
	}
	return p.told(f.state, was, ahead)
}

// told checks a state, as an operator is told or as the disk has it. The active set is the one that was confirmed last,
// or the one whose commit was in progress; before the first one nothing is active, or the factory set. A set that was
// staged is still there, unless the step in progress discards it. The version floor is unchanged, or the one that this
// step sets. The failed set is in quarantine, and no good one is.
func (p promise) told(now oracle.State, was stand, ahead []stand) error {
	digest := func(name string) string { return p.sets.Named(name).Digest }
	want := oracle.Promise{Boot: p.boot, Boots: p.boots}
	if was.Active == "" {
		want.Active = []string{"", digest(factory)}
	}
	for _, s := range append([]stand{was}, ahead...) {
		want.Floors = append(want.Floors, s.Floor)
		if s.Active != "" {
			want.Active = append(want.Active, digest(s.Active))
		}
	}
	if was.Staged != "" && (len(ahead) == 0 || !ahead[0].Drops) {
		want.Staged = digest(was.Staged)
	}
	if was.Quarantine {
		want.Quarantined = []string{digest(broken)}
	}
	for _, q := range now.Quarantine {
		if q.IndexSHA256 != digest(broken) && !p.mayFail {
			return fmt.Errorf("%.12s is in quarantine (%s)", q.IndexSHA256, q.Reason)
		}
	}
	if !now.Persistent {
		return fmt.Errorf("the record is not persistent")
	}
	return want.Check(now)
}

// wholly checks that each slot, and the link to a staged set, holds exactly the contents of one archive, or nothing,
// and that the kernel verifies its payloads: it does so before a set has its name.
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
		if why := f.unkept[slot]; why != "" {
			return fmt.Errorf("slot %s: the kernel does not verify its payloads: %s", slot, why)
		}
	}
	return nil
}
