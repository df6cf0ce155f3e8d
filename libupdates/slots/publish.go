package slots

import (
	"errors"
	"io/fs"
	"path"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// keep gives the received set, whose files are durable, its name. Where that name is taken, the set there is not
// intact, and a slot may lead to it: then it is mended, or makes room where it cannot be.
func (s *Store) keep(head *nxs.Head) error {
	dir := setDir(head.Digest)
	err := s.makeRoom(head)
	if err == nil {
		_, err = s.fs.ReadDir(dir)
	}
	switch {
	case err == nil:
		err = s.mend(head)
	case errors.Is(err, fs.ErrNotExist):
		err = s.fs.Rename(stageDir, dir)
	}
	if err == nil {
		err = s.fs.SyncDir(setsDir)
	}
	if err != nil {
		s.drop(head.Digest)
	}
	return err
}

// makeRoom takes away what has the name of the received set and cannot be mended file by file: what is no folder is
// removed, and a folder of which something must not be read is set aside, for it cannot be removed either.
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

// mend replaces the files of a damaged set one by one. Each has only one right content, which its digest says, so every
// step leaves the set better or as it was, and a cut between two steps does no harm. What is damaged under two names is
// mended under both.
func (s *Store) mend(head *nxs.Head) error {
	if err := s.mendOthers(head); err != nil {
		return err
	}
	dir := setDir(head.Digest)
	for _, entry := range head.Index.Bundles {
		if err := s.makeDir(bundleDir(dir, entry.Name)); err != nil {
			return err
		}
		for _, of := range []func(set, name string) string{manifestPath, payloadPath} {
			if err := s.replace(of(stageDir, entry.Name), of(dir, entry.Name)); err != nil {
				return err
			}
		}
		if err := s.fs.SyncDir(bundleDir(dir, entry.Name)); err != nil {
			return err
		}
	}
	for _, name := range []string{indexFile, signatureFile} {
		if err := s.replace(path.Join(stageDir, name), path.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(dir); err != nil {
		return err
	}
	return s.fs.RemoveAll(stageDir)
}

// makeDir makes a folder where there is none; what is there and is no folder goes.
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

// replace gives a file a name in one step; a folder that has that name goes first.
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

// mendOthers replaces the damaged payloads of other sets that the received set has too, each by a second name of the
// received one.
func (s *Store) mendOthers(head *nxs.Head) error {
	sets, err := s.sets()
	if err != nil {
		return err
	}
	received := map[identity]string{}
	for _, entry := range head.Index.Bundles {
		received[identityOf(entry)] = payloadPath(stageDir, entry.Name)
	}
	for _, set := range sets {
		index, err := set.index()
		if err != nil || set.digest == head.Digest {
			continue
		}
		for _, entry := range index.Bundles {
			from, is := received[identityOf(entry)]
			if !is || set.checkPayload(entry) == nil {
				continue
			}
			if err := s.replaceFile(from, payloadPath(set.dir(), entry.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceFile gives a received file a second name, which a damaged one had, durably and in one step. Where the file
// system has no second names the damaged one stays.
func (s *Store) replaceFile(from, to string) error {
	beside := path.Join(stageDir, mendedFile)
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

// point makes the slot lead to the set, or to none for the zero digest, durably, and removes the set it led to unless
// the other slot still does. After an error the slot leads where it led, and the new set is gone unless a slot leads to
// it.
//
// A set is removed only when the links that no longer lead to it are durable: else a cut could bring back a link to
// nothing.
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

// link replaces a slot's link in one step.
func (s *Store) link(slot bootctl.Slot, to nxs.Digest) error {
	if to.IsZero() {
		return s.fs.RemoveAll(slot.String())
	}
	return s.replaceLink(setDir(to), slot.String())
}

// replaceLink makes a link lead to the target, in one step.
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
