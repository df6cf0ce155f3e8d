package main

import (
	"fmt"

	"nexus/selftest/oracle"
)

// slots holds every byte of both slots against the archives, and the links against the state.
func (s *Soak) slots() (found []error) {
	links := s.links()
	if links.active != s.state.ActiveSlot && !(links.active == "" && s.state.ActiveSlot == "a") {
		found = append(found, fmt.Errorf("slot %s is active, and its link leads to %q", s.state.ActiveSlot,
			links.active))
	}
	for slot, link := range map[string]string{"a": links.a, "b": links.b} {
		if err := s.slot(s.state.Slot(slot).Digest(), link); err != nil {
			found = append(found, fmt.Errorf("slot %s: %w", slot, err))
		}
	}
	return found
}

func (s *Soak) slot(digest, link string) error {
	if digest == "" {
		if link != "" {
			return fmt.Errorf("it is empty, and leads to %q", link)
		}
		return nil
	}
	if want := "sets/" + digest; link != want {
		return fmt.Errorf("it leads to %q, not to %q", link, want)
	}
	set := s.sets.Known(digest)
	if set == nil {
		return fmt.Errorf("it holds %s, which is no verified set", digest)
	}
	return oracle.SameFiles(s.at("system", link), set.Files)
}
