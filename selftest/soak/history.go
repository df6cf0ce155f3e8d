package main

import "nexus/selftest/oracle"

// history wants a history that can have happened.
func (s *Soak) history() (found []error) {
	var events []oracle.Event
	if err := s.host.Ask(&events, "history"); err != nil {
		return []error{err}
	}
	return oracle.WrongHistory(events, s.sets)
}
