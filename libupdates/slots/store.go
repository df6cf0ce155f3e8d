package slots

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Store is the writer's view of the slots. It has one owner, which makes one call at a time. Readers may use OpenSet
// at the same time.
type Store struct{ fs disk }

// Open creates the layout where it is missing and removes what an interrupted stage left: everything in sets/ that no
// link leads to, and links that were never renamed to their names. What a stage has kept to be resumed stays. The slots
// keep what they hold. If sets/ is not a folder, it is replaced. Leftovers that cannot be removed stay.
func Open(fs durable.FS) (*Store, error) {
	s := &Store{disk{fs}}
	if err := s.fs.prepare(); err != nil {
		return nil, fmt.Errorf("cannot open slots: %w", err)
	}
	return s, nil
}

func (d disk) prepare() error {
	if err := d.makeDir(setsDir); err != nil { // does not follow links: their targets are not ours
		return err
	}
	names := []string{activeLink}
	for _, slot := range links() {
		names = append(names, slot.String())
	}
	for _, name := range names {
		if err := d.RemoveAll(name + newLink); err != nil {
			return err
		}
	}
	// The links may not be durable yet: if their writer died, a power cut could still undo its last change. A set that
	// a durable link leads to must not be removed, so make the links durable first.
	if err := d.SyncDir(root); err != nil {
		return err
	}
	return d.removeLeftovers()
}

func (d disk) removeLeftovers() error {
	used, err := d.used()
	if err != nil {
		return err
	}
	names, err := d.ReadDir(setsDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		dir := path.Join(setsDir, name)
		if used[dir] || dir == keptDir {
			continue
		}
		if err := d.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// used returns the directories of the sets that links lead to.
func (d disk) used() (map[string]bool, error) {
	sets, err := d.sets()
	if err != nil {
		return nil, err
	}
	dirs := make(map[string]bool, len(sets))
	for _, set := range sets {
		dirs[set.dir()] = true
	}
	return dirs, nil
}

// sets returns the sets that links lead to, each once.
func (d disk) sets() ([]stored, error) {
	var sets []stored
	for _, slot := range links() {
		to, err := resolved(d, slot)
		if err != nil {
			return nil, err
		}
		known := slices.ContainsFunc(sets, func(set stored) bool { return set.digest == to })
		if !to.IsZero() && !known {
			sets = append(sets, stored{d, to})
		}
	}
	return sets, nil
}

// drop removes a set unless a link leads to it. If that fails, the next Open removes it.
func (d disk) drop(set nxs.Digest) {
	if used, err := d.used(); err == nil && !set.IsZero() && !used[setDir(set)] {
		d.RemoveAll(setDir(set))
	}
}

// resolve returns the digest of the set that a slot leads to, or zero for an empty slot. Refused as SlotMismatch if the
// slot's link is not a link, or does not lead to a set.
func resolve(fsys durable.ReadFS, slot bootctl.Slot) (nxs.Digest, error) {
	target, err := fsys.Readlink(slot.String())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nxs.Digest{}, nil
	case errors.Is(err, durable.ErrKind):
		return nxs.Digest{}, refusal.New(refusal.SlotMismatch, "%s is not a link", called(slot))
	case err != nil:
		return nxs.Digest{}, err
	}
	return digestOf(slot, target)
}

// resolved is resolve for callers that only need to know which sets are in use: a slot that does not lead to a set uses
// none.
func resolved(fsys durable.ReadFS, slot bootctl.Slot) (nxs.Digest, error) {
	d, err := resolve(fsys, slot)
	if refusal.Of(err) == refusal.SlotMismatch {
		return nxs.Digest{}, nil
	}
	return d, err
}
