package slots

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Store is the writer's side of the slots. It has one owner, which makes one call at a time; readers use OpenSet
// meanwhile.
type Store struct{ fs durable.FS }

// Open makes the layout where it is missing and removes what an interrupted stage left: everything in sets/ that no
// slot leads to, and links that never got a slot's name. Slots keep what they hold. Whatever is in place of sets/ and
// is no folder holds no set and goes; a leftover that cannot be removed stays.
func Open(fs durable.FS) (*Store, error) {
	s := &Store{fs}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("cannot open slots: %w", err)
	}
	return s, nil
}

func (s *Store) prepare() error {
	if err := s.makeDir(setsDir); err != nil { // a link is not followed: what it leads to is not ours
		return err
	}
	for _, link := range []string{bootctl.A.String(), bootctl.B.String(), activeLink} {
		if err := s.fs.RemoveAll(link + newLink); err != nil {
			return err
		}
	}
	// What the links say now may not be durable yet: a writer that died may have left a link that a cut would take
	// back. Nothing a durable link leads to may be removed, so the links come first.
	if err := s.fs.SyncDir(root); err != nil {
		return err
	}
	return s.removeLeftovers()
}

func (s *Store) removeLeftovers() error {
	used, err := s.used()
	if err != nil {
		return err
	}
	names, err := s.fs.ReadDir(setsDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		dir := path.Join(setsDir, name)
		if used[dir] {
			continue
		}
		if err := s.fs.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// used returns the directories that slots lead to.
func (s *Store) used() (map[string]bool, error) {
	sets, err := s.sets()
	if err != nil {
		return nil, err
	}
	dirs := make(map[string]bool, len(sets))
	for _, set := range sets {
		dirs[set.dir()] = true
	}
	return dirs, nil
}

// sets returns the sets that slots lead to, each once.
func (s *Store) sets() ([]stored, error) {
	var sets []stored
	for _, slot := range both() {
		d, err := resolved(s.fs, slot)
		if err != nil {
			return nil, err
		}
		if !d.IsZero() && (len(sets) == 0 || sets[0].digest != d) {
			sets = append(sets, stored{s.fs, d})
		}
	}
	return sets, nil
}

// drop removes a set no slot leads to. What cannot be removed now is a leftover for the next Open.
func (s *Store) drop(d nxs.Digest) {
	if used, err := s.used(); err == nil && !d.IsZero() && !used[setDir(d)] {
		s.fs.RemoveAll(setDir(d))
	}
}

// resolve returns the digest of the set a slot leads to, zero for an empty slot. Refused as SlotMismatch where
// something else is in place of the slot's link, or it leads to no set.
func resolve(fsys durable.ReadFS, slot bootctl.Slot) (nxs.Digest, error) {
	target, err := fsys.Readlink(slot.String())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nxs.Digest{}, nil
	case errors.Is(err, durable.ErrKind):
		return nxs.Digest{}, refusal.New(refusal.SlotMismatch, "slot %s is no link", slot)
	case err != nil:
		return nxs.Digest{}, err
	}
	return digestOf(slot, target)
}

// resolved is resolve for whoever has to know only what slots need: a slot that leads to no set needs nothing.
func resolved(fsys durable.ReadFS, slot bootctl.Slot) (nxs.Digest, error) {
	d, err := resolve(fsys, slot)
	if refusal.Of(err) == refusal.SlotMismatch {
		return nxs.Digest{}, nil
	}
	return d, err
}

func both() [2]bootctl.Slot { return [2]bootctl.Slot{bootctl.A, bootctl.B} }
