package slots

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// keep gives the received set its name; its files are already durable. If the name is taken, the set there is damaged,
// and a slot may lead to it. It is then repaired in place or, if that is impossible, moved out of the way.
func (s *stage) keep() error {
	dir := setDir(s.head.Digest)
	err := s.makeRoom()
	if err == nil {
		_, err = s.fs.ReadDir(dir)
	}
	switch {
	case err == nil:
		err = s.mend()
	case errors.Is(err, fs.ErrNotExist):
		err = s.fs.Rename(s.dir, dir)
	}
	if err == nil {
		err = s.fs.SyncDir(setsDir)
	}
	if err != nil {
		s.fs.drop(s.head.Digest)
	}
	return err
}

// makeRoom clears the name of the received set if what has it cannot be repaired file by file. Anything that is not a
// folder is removed. A folder with an unreadable entry is set aside, because it cannot be removed either.
func (s *stage) makeRoom() error {
	dir := setDir(s.head.Digest)
	_, err := s.fs.ReadDir(dir)
	if errors.Is(err, durable.ErrKind) {
		return s.fs.RemoveAll(dir)
	}
	if !errors.Is(err, fs.ErrPermission) && !(stored{s.fs, s.head.Digest}).isLocked(s.head.Index) {
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
func (s *stage) mend() error {
	if err := s.mendOthers(); err != nil {
		return err
	}
	dir := setDir(s.head.Digest)
	for _, entry := range s.head.Index.Bundles {
		if err := s.fs.makeDir(bundleDir(dir, entry.Name)); err != nil {
			return err
		}
		for _, of := range []func(set, name string) string{manifestPath, payloadPath} {
			if err := s.fs.replace(of(s.dir, entry.Name), of(dir, entry.Name)); err != nil {
				return err
			}
		}
		if err := s.fs.SyncDir(bundleDir(dir, entry.Name)); err != nil {
			return err
		}
	}
	names := []string{nxs.IndexName, nxs.SignatureName}
	if len(s.head.More) > 0 {
		names = append(names, nxs.SignaturesName)
	} else if err := s.fs.RemoveAll(path.Join(dir, nxs.SignaturesName)); err != nil {
		return err
	}
	for _, name := range names {
		if err := s.fs.replace(path.Join(s.dir, name), path.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(dir); err != nil {
		return err
	}
	return s.fs.RemoveAll(s.dir)
}

// mendOthers replaces damaged payloads in other sets that the received set also contains, each by a second name of the
// received file.
func (s *stage) mendOthers() error {
	sets, err := s.fs.sets()
	if err != nil {
		return err
	}
	files := map[identity]string{}
	for _, entry := range s.head.Index.Bundles {
		files[identityOf(entry)] = payloadPath(s.dir, entry.Name)
	}
	for _, set := range sets {
		index, err := set.index()
		if err != nil || set.digest == s.head.Digest {
			continue
		}
		for _, entry := range index.Bundles {
			from, is := files[identityOf(entry)]
			if !is || set.checkPayload(entry) == nil {
				continue
			}
			if err := s.fs.replaceFile(from, path.Join(s.dir, mendedFile),
				payloadPath(set.dir(), entry.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Promote moves the staged set into a slot, durably and in one step: the slot leads to it, and nothing is staged any
// more. The set that the slot led to is removed unless the other slot still needs it. After an error it may be done,
// and not durable. Refused as MissingEntry if nothing is staged.
func (s *Store) Promote(slot bootctl.Slot) error {
	err := checkSlot(slot)
	if err == nil {
		err = s.fs.promote(slot)
	}
	if err != nil {
		return fmt.Errorf("cannot move staged set into slot %s: %w", slot, err)
	}
	return nil
}

// Sync makes the links durable as they are.
func (s *Store) Sync() error { return s.fs.SyncDir(root) }
