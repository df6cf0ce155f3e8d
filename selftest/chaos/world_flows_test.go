package chaos_test

import (
	"errors"
	"fmt"

	"nexus/libupdates/refusal"
)

// worldFlows returns the flows of a whole system. The flows of a device cover the disk; these cover the messages.
func worldFlows() []worldFlow {
	commit := func(s *system) error {
		_, err := newPerson(s).update(newer)
		return err
	}
	return append([]worldFlow{
		{name: "stage", want: func(s *system) error { return newPerson(s).stage(newer) }},
		{name: "discard", want: func(s *system) error {
			p := newPerson(s)
			return errors.Join(p.stage(newer), p.discard())
		}},
		{name: "commit", want: commit},
		{name: "commit with every command twice", twice: true, want: commit},
		{name: "restage over a staged slot", want: func(s *system) error {
			p := newPerson(s)
			err := p.stage(newer)
			_, errUpdate := p.update(newest)
			return errors.Join(err, errUpdate)
		}},
		{name: "rollback by tries", bad: true, want: rollback(exiting)},
		{name: "rollback by deadline", bad: true, want: rollback(hanging)},
		{name: "rollback by operator", want: func(s *system) error {
			p := newPerson(s)
			_, err := p.update(newer)
			return errors.Join(err, p.goBack())
		}},
		{name: "quarantine", bad: true, want: func(s *system) error {
			p := newPerson(s)
			if _, err := p.update(exiting); err != nil {
				return err
			}
			err := p.stage(exiting)
			// The record was kept in memory and is lost.
			if refusal.Of(err) == refusal.Quarantined || s.crashes() > 0 {
				return nil
			}
			return fmt.Errorf("stage of the set that was rolled back: %v", err)
		}},
		{name: "a core takes over", core: true, want: func(s *system) error {
			_, err := newPerson(s).update(withCore)
			return err
		}},
		{name: "a core takes over and gives back", bad: true, core: true, want: rollback(exitingWithCore)},
		{name: "two operators", want: func(s *system) error {
			first, second := newPerson(s), newPerson(s)
			err := errors.Join(first.stage(newer), second.stage(newest), first.discard())
			_, errUpdate := second.update(newest)
			return errors.Join(err, errUpdate)
		}},
	}, appFlows()...)
}

// rollback waits for the verdict on a set that cannot become healthy.
func rollback(version string) func(*system) error {
	return func(s *system) error {
		now, err := newPerson(s).update(version)
		if err == nil && !holds(now, now.Active, factory) {
			err = fmt.Errorf("%s runs: %+v", version, now)
		}
		return err
	}
}
