package slots

import (
	"errors"
	"io/fs"
	"path"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A disk is the folder of the slots: sets, and the links that lead to them.
type disk struct{ durable.FS }

// makeDir makes a folder unless there is one, and removes anything else that has its name.
func (d disk) makeDir(name string) error {
	err := d.Mkdir(name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := d.ReadDir(name); !errors.Is(err, durable.ErrKind) {
		return err
	}
	if err := d.RemoveAll(name); err != nil {
		return err
	}
	return d.Mkdir(name)
}

// replace renames a file in one step. If a folder has the new name, it is removed first.
func (d disk) replace(from, to string) error {
	err := d.Rename(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := d.RemoveAll(to); err != nil {
		return err
	}
	return d.Rename(from, to)
}

// replaceFile gives a received file a second name in place of a damaged file, durably and in one step. If the file
// system does not support hard links, the damaged file stays.
func (d disk) replaceFile(from, beside, to string) error {
	if d.Link(from, beside) != nil {
		return nil
	}
	if err := d.makeDir(path.Dir(to)); err != nil {
		return err
	}
	if err := d.replace(beside, to); err != nil {
		return err
	}
	return d.SyncDir(path.Dir(to))
}

// point makes the slot lead to the set, or empties it if the digest is zero, durably, and removes the set it led to
// unless another link still needs it. After an error the slot leads where it led, and the new set is gone unless a
// slot leads to it.
//
// A set is removed only after the links that no longer lead to it are durable. Otherwise a power cut could restore a
// link to a removed set.
func (d disk) point(slot bootctl.Slot, to nxs.Digest) error {
	from, err := resolved(d, slot)
	if err != nil {
		d.drop(to)
		return err
	}
	if from == to && !to.IsZero() {
		return d.SyncDir(root)
	}
	if err = d.link(slot, to); err == nil {
		err = d.SyncDir(root)
	}
	if err == nil {
		d.drop(from)
		return nil
	}
	if d.link(slot, from) == nil && d.SyncDir(root) == nil {
		d.drop(to)
	}
	return err
}

func (d disk) promote(slot bootctl.Slot) error {
	to, err := resolve(d, bootctl.Staged)
	if err != nil {
		return err
	}
	if to.IsZero() {
		return refusal.New(refusal.MissingEntry, "nothing is staged")
	}
	from, err := resolved(d, slot)
	if err != nil {
		return err
	}
	if err := d.replace(bootctl.Staged.String(), slot.String()); err != nil {
		return err
	}
	if err := d.SyncDir(root); err != nil {
		return err
	}
	d.drop(from)
	return nil
}

// link replaces a slot's link in one step.
func (d disk) link(slot bootctl.Slot, to nxs.Digest) error {
	if to.IsZero() {
		return d.RemoveAll(slot.String())
	}
	return d.replaceLink(setDir(to), slot.String())
}

// replaceLink replaces the named link in one step.
func (d disk) replaceLink(target, name string) error {
	temp := name + newLink
	if err := d.RemoveAll(temp); err != nil {
		return err
	}
	if err := d.Symlink(target, temp); err != nil {
		return err
	}
	if err := d.replace(temp, name); err != nil {
		d.RemoveAll(temp)
		return err
	}
	return nil
}
