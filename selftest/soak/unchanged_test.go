package soak

import (
	"fmt"
	"reflect"
	"strings"

	"nexus/libupdates/refusal"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// unchanged wants a refusal to have changed no durable byte and nothing of the state, and a cycle that nothing
// disturbed to have left exactly its own audit records.
func (s *Soak) unchanged(r *Run, before kit.Fingerprint, sequence uint64) error {
	if r.Hit != "" || r.Flow == Rivals || r.crashLooped() {
		return nil
	}
	if r.refused() {
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

// refused reports whether the first verb was refused, and so nothing may have changed.
func (r *Run) refused() bool {
	return len(r.Verbs) == 1 && r.want().exit != 0 && r.want().reason != "" && !r.tried()
}

// tried reports whether the set came as far as the standby slot.
func (r *Run) tried() bool {
	return r.Flow != Rollback && r.Set.Fate != oracle.Refused && r.Before.Quarantined(r.Set.Digest) == "" &&
		r.Before.Active().Digest() != r.Set.Digest
}

// audited wants the journal to have exactly the steps of the cycle. Records are on their way for a moment.
func (s *Soak) audited(r *Run, sequence uint64) error {
	want, have := strings.Join(r.audits(), ", "), ""
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

// audits are the steps that an undisturbed cycle has to leave in the journal.
func (r *Run) audits() []string {
	if r.Cleared {
		return append([]string{"clear ok"}, r.stepsOfFlow()...)
	}
	return r.stepsOfFlow()
}

func (r *Run) stepsOfFlow() []string {
	switch {
	case r.Flow == Rollback && r.want().exit == 0:
		return []string{"rollback ok", "health ok"}
	case r.Flow == Rollback:
		return []string{"rollback refused"}
	case !r.tried():
		return []string{"stage refused"}
	case r.Flow == Stage:
		return []string{"stage ok"}
	case r.Flow == Discard:
		return []string{"stage ok", "discard ok"}
	case r.Set.Fate == oracle.Unfit:
		return []string{"stage ok", "switch refused"}
	case r.Set.Fate == oracle.Good:
		return []string{"stage ok", "switch ok", "health ok"}
	}
	steps := []string{"stage ok", "switch ok"}
	for range r.attempts() {
		steps = append(steps, "health failed")
	}
	return append(steps, "rollback ok", "health ok")
}

// attempts are how many a broken set gets: one that ran into the deadline gets no other.
func (r *Run) attempts() int {
	if r.Set.Reason == refusal.HealthTimeout {
		return 1
	}
	return tries
}
