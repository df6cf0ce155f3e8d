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

// keep gives the received set its name; its files are already durable. If the name is taken, the set there is damaged,
// and a slot may lead to it. It is then repaired in place or, if that is impossible, moved out of the way.
func (s *Store) keep(from string, head *nxs.Head) error {
	dir := setDir(head.Digest)
	err := s.makeRoom(head)
	if err == nil {
		_, err = s.fs.ReadDir(dir)
	}
	switch {
	case err == nil:
		err = s.mend(from, head)
	case errors.Is(err, fs.ErrNotExist):
		err = s.fs.Rename(from, dir)
	}
	if err == nil {
		err = s.fs.SyncDir(setsDir)
	}
	if err != nil {
		s.drop(head.Digest)
	}
	return err
}

// makeRoom clears the name of the received set if what has it cannot be repaired file by file. Anything that is not a
// folder is removed. A folder with an unreadable entry is set aside, because it cannot be removed either.
func (s *Store) makeRoom(head *nxs.Head) error {
	dir := setDir(head.Digest)
	_, err := s.fs.ReadDir(dir)
	if errors.Is(err, durable.ErrKind) {
		return s.fs.RemoveAll(dir)
	}
	if !errors.Is(err, fs.ErrPermission) && !(stored{s.fs, head.Digest}).isLocked(head.Index) {
		return nil
	}
	if err := s.fs.RemoveAll(dir + aside); err != nil {
		return err
	}
	return s.fs.Rename(dir, dir+aside)
}

// mend replaces the files of a damaged set one by one. The digest fixes the content of each file, so no step can make
// the set worse, and a power cut between two steps is harmless; further signatures were just verified. A damaged file
// with two names is replaced under both.
func (s *Store) mend(from string, head *nxs.Head) error {
	if err := s.mendOthers(from, head); err != nil {
		return err
	}
	dir := setDir(head.Digest)
	for _, entry := range head.Index.Bundles {
		if err := s.makeDir(bundleDir(dir, entry.Name)); err != nil {
			return err
		}
		for _, of := range []func(set, name string) string{manifestPath, payloadPath} {
			if err := s.replace(of(from, entry.Name), of(dir, entry.Name)); err != nil {
				return err
			}
		}
		if err := s.fs.SyncDir(bundleDir(dir, entry.Name)); err != nil {
			return err
		}
	}
	names := []string{nxs.IndexName, nxs.SignatureName}
	if len(head.More) > 0 {
		names = append(names, nxs.SignaturesName)
	} else if err := s.fs.RemoveAll(path.Join(dir, nxs.SignaturesName)); err != nil {
		return err
	}
	for _, name := range names {
		if err := s.replace(path.Join(from, name), path.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(dir); err != nil {
		return err
	}
	return s.fs.RemoveAll(from)
}

// makeDir makes a folder unless there is one, and removes anything else that has its name.
func (s *Store) makeDir(name string) error {
	err := s.fs.Mkdir(name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := s.fs.ReadDir(name); !errors.Is(err, durable.ErrKind) {
		return err
	}
	if err := s.fs.RemoveAll(name); err != nil {
		return err
	}
	return s.fs.Mkdir(name)
}

// replace renames a file in one step. If a folder has the new name, it is removed first.
func (s *Store) replace(from, to string) error {
	err := s.fs.Rename(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.fs.RemoveAll(to); err != nil {
		return err
	}
	return s.fs.Rename(from, to)
}

// mendOthers replaces damaged payloads in other sets that the received set also contains, each by a second name of the
// received file.
func (s *Store) mendOthers(received string, head *nxs.Head) error {
	sets, err := s.sets()
	if err != nil {
		return err
	}
	files := map[identity]string{}
	for _, entry := range head.Index.Bundles {
		files[identityOf(entry)] = payloadPath(received, entry.Name)
	}
	for _, set := range sets {
		index, err := set.index()
		if err != nil || set.digest == head.Digest {
			continue
		}
		for _, entry := range index.Bundles {
			from, is := files[identityOf(entry)]
			if !is || set.checkPayload(entry) == nil {
				continue
			}
			if err := s.replaceFile(from, path.Join(received, mendedFile),
				payloadPath(set.dir(), entry.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceFile gives a received file a second name in place of a damaged file, durably and in one step. If the file
// system does not support hard links, the damaged file stays.
func (s *Store) replaceFile(from, beside, to string) error {
	if s.fs.Link(from, beside) != nil {
		return nil
	}
	if err := s.makeDir(path.Dir(to)); err != nil {
		return err
	}
	if err := s.replace(beside, to); err != nil {
		return err
	}
	return s.fs.SyncDir(path.Dir(to))
}

// point makes the slot lead to the set, or empties it if the digest is zero, durably, and removes the set it led to
// unless another link still needs it. After an error the slot leads where it led, and the new set is gone unless a
// slot leads to it.
//
// A set is removed only after the links that no longer lead to it are durable. Otherwise a power cut could restore a
// link to a removed set.
func (s *Store) point(slot bootctl.Slot, to nxs.Digest) error {
	from, err := resolved(s.fs, slot)
	if err != nil {
		s.drop(to)
		return err
	}
	if from == to && !to.IsZero() {
		return s.fs.SyncDir(root)
	}
	if err = s.link(slot, to); err == nil {
		err = s.fs.SyncDir(root)
	}
	if err == nil {
		s.drop(from)
		return nil
	}
	if s.link(slot, from) == nil && s.fs.SyncDir(root) == nil {
		s.drop(to)
	}
	return err
}

// Promote moves the staged set into a slot, durably and in one step: the slot leads to it, and nothing is staged any
// more. The set that the slot led to is removed unless the other slot still needs it. After an error it may be done,
// and not durable. Refused as MissingEntry if nothing is staged.
func (s *Store) Promote(slot bootctl.Slot) error {
	err := checkSlot(slot)
	if err == nil {
		err = s.promote(slot)
	}
	if err != nil {
		return fmt.Errorf("cannot move staged set into slot %s: %w", slot, err)
	}
	return nil
}

func (s *Store) promote(slot bootctl.Slot) error {
	to, err := resolve(s.fs, bootctl.Staged)
	if err != nil {
		return err
	}
	if to.IsZero() {
		return refusal.New(refusal.MissingEntry, "nothing is staged")
	}
	from, err := resolved(s.fs, slot)
	if err != nil {
		return err
	}
	if err := s.replace(bootctl.Staged.String(), slot.String()); err != nil {
		return err
	}
	if err := s.fs.SyncDir(root); err != nil {
		return err
	}
	s.drop(from)
	return nil
}

// Sync makes the links durable as they are.
func (s *Store) Sync() error { return s.fs.SyncDir(root) }

// link replaces a slot's link in one step.
func (s *Store) link(slot bootctl.Slot, to nxs.Digest) error {
	if to.IsZero() {
		return s.fs.RemoveAll(slot.String())
	}
	return s.replaceLink(setDir(to), slot.String())
}

// replaceLink replaces the named link in one step.
func (s *Store) replaceLink(target, name string) error {
	temp := name + newLink
	if err := s.fs.RemoveAll(temp); err != nil {
		return err
	}
	if err := s.fs.Symlink(target, temp); err != nil {
		return err
	}
	if err := s.replace(temp, name); err != nil {
		s.fs.RemoveAll(temp)
		return err
	}
	return nil
}
