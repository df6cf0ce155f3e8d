package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"syscall"

	"nexus/selftest/oracle"
)

// A Fingerprint is every file and link of the slots: what it is, and which one it is. A file that was written again is
// another one.
type Fingerprint map[string]string

func (s *Soak) fingerprint() (Fingerprint, error) {
	print := Fingerprint{}
	root := s.at("system")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		inode := uint64(0)
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			inode = stat.Ino
		}
		target, _ := os.Readlink(path)
		print[name] = fmt.Sprintf("%s %d bytes, inode %d, %s %s", info.Mode(), info.Size(), inode, info.ModTime(),
			target)
		return nil
	})
	return print, err
}

// unchanged wants a refusal to have changed no durable byte and nothing of the state, and a cycle that nothing
// disturbed to have left exactly its own audit records.
func (s *Soak) unchanged(r *Run, before Fingerprint, sequence uint64) error {
	if r.Hit != "" || r.Flow == Rivals || r.crashLooped() {
		return nil
	}
	if r.refused() {
		after, err := s.fingerprint()
		if err != nil {
			return err
		}
		if !maps.Equal(before, after) {
			return fmt.Errorf("a refusal changed the slots from %v to %v", before, after)
		}
		was, is := r.Before, r.After
		was.Watched, is.Watched = false, false // a watch ends by itself
		if !reflect.DeepEqual(was, is) {
			return fmt.Errorf("a refusal changed the state from %+v to %+v", r.Before, r.After)
		}
	}
	return s.audited(r, sequence)
}

// refused tells whether the first verb was refused, and so nothing may have changed.
func (r *Run) refused() bool {
	return len(r.Verbs) == 1 && r.want().exit != 0 && r.want().reason != "" && !r.tried()
}

// tried tells whether the set came as far as the standby slot.
func (r *Run) tried() bool {
	return r.Flow != Rollback && r.Set.Fate != oracle.Refused && r.Before.Quarantined(r.Set.Digest) == "" &&
		r.Before.Active().Digest() != r.Set.Digest
}
