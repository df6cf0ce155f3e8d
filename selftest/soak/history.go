package main

import "nexus/selftest/onlooker"

// history wants a history that can have happened.
func (s *Soak) history() (found []error) {
	var events []onlooker.Event
	if err := s.host.Ask(&events, "history"); err != nil {
		return []error{err}
	}
	return onlooker.WrongHistory(events, s.sets)
}
