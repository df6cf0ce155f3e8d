package soak

import (
	"fmt"
	"reflect"
	"strings"

	"nexus/selftest/kit"
)

// unchanged wants a refusal to have changed no durable byte and nothing of the state, and a cycle that nothing
// disturbed to have left exactly its own audit records.
func (s *Soak) unchanged(r *Run, before kit.Fingerprint, sequence uint64) error {
	if r.Hit != "" || r.Flow == Rivals || r.crashLooped() {
		return nil
	}
	if r.want().refused() {
		after, err := kit.FingerprintOf(s.at("system"))
		if err != nil {
			return err
		}
		if found := before.Changes(after); len(found) > 0 {
			return fmt.Errorf("a refusal changed the slots: %s", strings.Join(found, "; "))
		}
		was, is := r.Before, r.After
		was.Watched, is.Watched = false, false // a watch ends by itself
		if !reflect.DeepEqual(was, is) {
			return fmt.Errorf("a refusal changed the state from %+v to %+v", r.Before, r.After)
		}
	}
	return s.audited(r, sequence)
}

// audited wants the journal to have exactly the steps of the cycle. Records are on their way for a moment.
func (s *Soak) audited(r *Run, sequence uint64) error {
	steps := r.want().steps
	if r.Cleared {
		steps = append([]string{"clear ok"}, steps...)
	}
	want, have := strings.Join(steps, ", "), ""
	err := kit.Within(checkBound, "the steps "+want, func() bool {
		records, err := s.records()
		have = strings.Join(auditsIn(records, sequence), ", ")
		return err == nil && have == want
	})
	if err != nil {
		return fmt.Errorf("%w; the journal has the steps %s", err, have)
	}
	return nil
}
