package main

import (
	"errors"
	"time"

	"nexus/selftest/host"
)

// check holds slots, publication, services, history, journal and what is left over against the state. What was under
// way when the state became quiet has until checkBound to end; what is still wrong then is a finding.
func (s *Soak) check() error {
	begun := time.Now()
	for {
		found := s.findings()
		if len(found) == 0 {
			return nil
		}
		if time.Since(begun) > checkBound {
			return errors.Join(found...)
		}
		time.Sleep(10 * host.LookPause)
	}
}

// findings are all that is wrong now.
func (s *Soak) findings() []error {
	found := s.slots()
	found = append(found, s.published()...)
	found = append(found, s.services()...)
	found = append(found, s.history()...)
	found = append(found, s.journal()...)
	found = append(found, s.leftovers(true)...)
	if len(found) > 0 {
		return found // a process that has only just begun is no measure
	}
	return s.growth.look(s.host.Members())
}
