package bundlestate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// Names beside the generations of a bundle.
const (
	newName = ".new"
	oldName = ".old"
)

// A Disk is where state is kept.
type Disk interface {
	durable.FS
	// Make makes an empty generation, durable but for its name.
	Make(name string) error
	// Copy copies a generation, durably but for its name.
	Copy(from, to string) error
}

// A Store keeps the state of bundles. It has one owner, which makes one call at a time.
type Store struct{ Disk Disk }

// Open makes the generation that a bundle runs on, where it is not there yet, and returns its name. A cut at any moment
// leaves the generation that the boot record leads to as it is.
func (s Store) Open(bundle string, want Want) (string, error) {
	name, err := s.open(bundle, want)
	if err != nil {
		return "", fmt.Errorf("cannot open state of %s: %w", bundle, err)
	}
	return name, nil
}

func (s Store) open(bundle string, want Want) (string, error) {
	if err := s.folder(bundle); err != nil {
		return "", err
	}
	if err := s.tidy(bundle); err != nil {
		return "", err
	}
	if err := s.keepBack(bundle, want, true); err != nil {
		return "", err
	}
	there, err := s.list(bundle)
	if err != nil {
		return "", err
	}
	plan := PlanFor(there, want)
	if want.Unsure {
		if plan.Make || plan.Move != nil {
			return "", errors.New("a slot is damaged, so it is not known which state belongs to it")
		}
		plan.Remove = nil
	}
	if err := s.remove(bundle, plan.Remove); err != nil {
		return "", err
	}
	use := path.Join(bundle, plan.Use.String())
	switch {
	case plan.Move != nil:
		err = s.rename(path.Join(bundle, plan.Move.String()), use)
	case plan.Make:
		err = s.add(bundle, plan.From, use)
	}
	return use, err
}

// keepBack gives the version to return to the generation that it would run on, if there is any and it has none of its
// own. Without one it gets an empty one if make is set: what a failed trial leaves is then never taken for its state.
func (s Store) keepBack(bundle string, want Want, make bool) error {
	if !want.changes() || want.Unsure {
		return nil
	}
	there, err := s.list(bundle)
	if err != nil || want.kept(there) != nil {
		return err
	}
	plan := PlanFor(there, Want{Runs: want.Back})
	use := path.Join(bundle, plan.Use.String())
	switch {
	case plan.Move != nil:
		return s.rename(path.Join(bundle, plan.Move.String()), use)
	case make:
		return s.add(bundle, nil, use)
	}
	return nil
}

// Replace makes a new generation for the version that runs, which fill fills. It counts from the next Open on.
func (s Store) Replace(bundle string, want Want, fill func(name string) error) error {
	if want.Trial != 0 {
		return refusal.New(refusal.TrialInProgress, "a slot is on trial")
	}
	if err := s.tidy(bundle); err != nil {
		return err
	}
	there, err := s.list(bundle)
	if err != nil {
		return err
	}
	next := PlanFor(there, want).Use
	if last := newest(there, func(Generation) bool { return true }); last != nil {
		next.Trial, next.N = last.Trial, last.N+1
	}
	temporary := path.Join(bundle, newName)
	if err = s.Disk.Make(temporary); err == nil {
		err = fill(temporary)
	}
	if err != nil {
		return errors.Join(err, s.Disk.RemoveAll(temporary))
	}
	return s.rename(temporary, path.Join(bundle, next.String()))
}

// Settle removes what nothing can return to any more. It makes no generation. It has to be called for all bundles once
// an attempt begins and once a commit is final, also for those that the running set does not have.
func (s Store) Settle(bundle string, want Want) error {
	if want.Unsure {
		return nil
	}
	if err := s.tidy(bundle); err != nil {
		return err
	}
	if err := s.keepBack(bundle, want, false); err != nil {
		return err
	}
	there, err := s.list(bundle)
	if err != nil {
		return err
	}
	plan := PlanFor(there, want)
	if err := s.remove(bundle, plan.Remove); err != nil {
		return err
	}
	if plan.Move != nil && want.Runs == (Identity{}) { // no set has the bundle: what it keeps waits for it
		return s.rename(path.Join(bundle, plan.Move.String()), path.Join(bundle, plan.Use.String()))
	}
	return nil
}

// Bundles returns the names of the bundles that keep state.
func (s Store) Bundles() ([]string, error) {
	names, err := s.Disk.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range names {
		if there, err := s.list(name); err == nil && len(there) > 0 {
			all = append(all, name)
		}
	}
	return all, nil
}

// Ready returns the name of the generation that Open would return, if Open would not have to make or rename it first.
func (s Store) Ready(bundle string, want Want) (name string, err error) {
	there, err := s.list(bundle)
	if err != nil {
		return "", err
	}
	if plan := PlanFor(there, want); !plan.Make && plan.Move == nil {
		name = path.Join(bundle, plan.Use.String())
	}
	return name, nil
}

// Now returns the name of the generation that a bundle runs on, and the names of those that are kept beside it. It
// changes nothing. Without a generation the name is empty.
func (s Store) Now(bundle string, want Want) (now string, kept []string, err error) {
	there, err := s.list(bundle)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	plan := PlanFor(there, want)
	switch {
	case plan.Move != nil:
		plan.Use = *plan.Move
	case plan.Make && plan.From != nil:
		plan.Use = *plan.From
	}
	for _, g := range there {
		if name := path.Join(bundle, g.String()); g == plan.Use {
			now = name
		} else if g.Of != (Identity{}) {
			kept = append(kept, name)
		}
	}
	return now, kept, nil
}

// folder makes the folder of a bundle. Also one that is there may not be durable yet: see tidy.
func (s Store) folder(bundle string) error {
	_, err := s.Disk.Kind(bundle)
	if errors.Is(err, fs.ErrNotExist) {
		err = s.Disk.Mkdir(bundle)
	}
	if err != nil {
		return err
	}
	return s.Disk.SyncDir(".")
}

func (s Store) list(bundle string) ([]Generation, error) {
	names, err := s.Disk.ReadDir(bundle)
	return generations(names), err
}

// tidy removes what a cut has left. It makes the names durable first: an owner that died after it gave a generation its
// name, or took it, may not have come to that, and what a program writes from now on would go with the name.
func (s Store) tidy(bundle string) error {
	if err := s.Disk.SyncDir(bundle); err != nil {
		return err
	}
	return errors.Join(s.Disk.RemoveAll(path.Join(bundle, newName)), s.Disk.RemoveAll(path.Join(bundle, oldName)))
}

// remove removes generations. Each loses its name before anything below it is removed: what is half there is no
// generation.
func (s Store) remove(bundle string, all []Generation) error {
	old := path.Join(bundle, oldName)
	for _, g := range all {
		if err := s.rename(path.Join(bundle, g.String()), old); err != nil {
			return err
		}
		if err := s.Disk.RemoveAll(old); err != nil {
			return err
		}
	}
	return nil
}

// add makes a generation, empty or as a copy.
func (s Store) add(bundle string, from *Generation, use string) error {
	temporary := path.Join(bundle, newName)
	var err error
	if from == nil {
		err = s.Disk.Make(temporary)
	} else {
		err = s.Disk.Copy(path.Join(bundle, from.String()), temporary)
	}
	if err != nil {
		return errors.Join(err, s.Disk.RemoveAll(temporary))
	}
	return s.rename(temporary, use)
}

// rename gives a generation another name, durably.
func (s Store) rename(from, to string) error {
	if err := s.Disk.Rename(from, to); err != nil {
		return err
	}
	return s.Disk.SyncDir(path.Dir(to))
}
