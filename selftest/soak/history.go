package main

import "fmt"

// history wants that only good sets were committed, each by the attempt that ran it, and that boot numbers never fall.
func (s *Soak) history() (found []error) {
	var events []Event
	if err := s.host.ask(&events, "history"); err != nil {
		return []error{err}
	}
	return wrongHistory(events, s.sets)
}

func wrongHistory(events []Event, sets Sets) (found []error) {
	for i, e := range events {
		if i > 0 && e.Boot < events[i-1].Boot {
			found = append(found, fmt.Errorf("history: boot %d stands after boot %d", e.Boot, events[i-1].Boot))
		}
		if e.Op == "rollback" && text(e.Reason) == "" {
			found = append(found, fmt.Errorf("history: a rollback in boot %d without a reason", e.Boot))
		}
		if e.Op != "commit" {
			continue
		}
		if set := sets.known(text(e.IndexSHA256)); set == nil || set.Fate != Good {
			found = append(found, fmt.Errorf("history: %.12q was committed in boot %d", text(e.IndexSHA256), e.Boot))
		}
		attempted := i == 0 // the list is bounded, and its beginning may be gone
		for _, before := range events[:i] {
			attempted = attempted || before.Op == "attempt" && before.Boot == e.Boot &&
				text(before.Slot) == text(e.Slot) && text(before.IndexSHA256) == text(e.IndexSHA256)
		}
		if !attempted {
			found = append(found, fmt.Errorf("history: slot %s was committed in boot %d, without an attempt of it", text(e.Slot), e.Boot))
		}
	}
	return found
}
