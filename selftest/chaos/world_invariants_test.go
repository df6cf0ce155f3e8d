package chaos_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/updatestest"
)

// What must hold after every death, besides the completion of the flow. Each check continues from the state that the
// previous one left.

// neverConfirmedTheBad: a set that cannot become healthy is never confirmed, whatever died.
func neverConfirmedTheBad(s *system) error {
	if s.flow.bad && s.w.Shows("init: health ok (slot b)") {
		return fmt.Errorf("a set that cannot become healthy was confirmed")
	}
	return nil
}

// theNextUpdateWorks: whatever died, the next update is staged, tried and confirmed.
func theNextUpdateWorks(s *system) error {
	s.mu.Lock()
	s.plan, s.quiet = nil, true
	s.mu.Unlock()
	now, err := newPerson(s).update(nextGood)
	if err == nil && !holds(now, now.Active, nextGood) {
		err = fmt.Errorf("it was rolled back: %+v", now)
	}
	if err != nil {
		return fmt.Errorf("the next update: %w", err)
	}
	s.now = now
	return nil
}

// theUnchangedGoesOn: a service that no set changes is the same process over every switch, retry and rollback, whatever
// died, unless that was execd or everything.
func theUnchangedGoesOn(s *system) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.steady != nil && s.steady != s.w.ConnOf(steady) && !s.restarted && !s.flow.core {
		return errors.New("a service that no set changes was started again")
	}
	return nil
}

// leavesNothing: the slots hold the sets that the status names, and there is nothing else.
func leavesNothing(s *system) error {
	sets := map[string]bool{}
	for _, version := range s.now.Versions {
		if version != "" {
			sets[version] = true
		}
	}
	names, err := os.ReadDir(filepath.Join(s.w.Dir, "system", "sets"))
	if err != nil {
		return err
	}
	if len(names) != len(sets) {
		return fmt.Errorf("the slots hold %v, but the disk has %v", s.now.Versions, names)
	}
	links, err := filepath.Glob(filepath.Join(s.w.Dir, "system", "*.new"))
	if err == nil && len(links) > 0 {
		err = fmt.Errorf("left behind: %v", links)
	}
	return err
}

// startsAgain: the system stops in order, and the next start finds the set that was confirmed last.
func startsAgain(s *system) error {
	if err := s.w.Stop(); err != nil {
		return fmt.Errorf("cannot stop: %w", err)
	}
	s.w.Start(nil, updatestest.Key(1).Public())
	p := newPerson(s)
	_, err := p.until(func(now world.State) bool { return resting(now) && holds(now, now.Active, nextGood) }, p.wait)
	if err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	return nil
}

// holds reports whether a slot holds the version.
func holds(s world.State, slot bootctl.Slot, version string) bool {
	if slot == bootctl.Staged {
		return s.Next == version
	}
	return slot != bootctl.None && s.Versions[slot-bootctl.A] == version
}

// resting reports whether nothing is in progress and the running set is healthy.
func resting(s world.State) bool { return s.HealthOK && s.Pending == bootctl.None }
