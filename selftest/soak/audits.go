package soak

import (
	"fmt"
	"strings"

	"nexus/libupdates/refusal"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

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
