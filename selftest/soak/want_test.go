package soak

import (
	"slices"

	"nexus/libupdates/refusal"
	"nexus/selftest/oracle"
)

// A Want is what has to come of a cycle that nothing disturbs.
type Want struct {
	verbs           int // how many of the flow's verbs are run
	exit            int
	reason          refusal.Reason
	active, standby string   // digests
	staged          string   // digest
	quarantined     string   // digest
	steps           []string // what the journal has of it: operations and results
}

// want says what has to come of it.
func (r *Run) want() Want {
	was, active, standby := r.Before, r.Before.Active().Digest(), r.Before.Standby().Digest()
	switch {
	case r.Flow == Rollback:
		return r.wantReturn()
	case was.Quarantined(r.Set.Digest) != "":
		return r.refusal(refusal.Quarantined)
	case r.Set.Fate == oracle.Refused:
		return r.refusal(r.Set.Reason)
	case active == r.Set.Digest:
		return r.refusal(refusal.AlreadyActive)
	case r.Flow == Discard:
		return Want{verbs: 2, active: active, standby: standby, steps: []string{"stage ok", "discard ok"}}
	}
	w := Want{verbs: 1, active: active, standby: standby, staged: r.Set.Digest, steps: []string{"stage ok"}}
	if r.Flow == Stage {
		return w
	}
	if r.Flow == Switch {
		w.verbs = 2
	}
	switch r.Set.Fate {
	case oracle.Unfit:
		w.exit, w.reason, w.steps = 1, r.Set.Reason, append(w.steps, "switch refused")
	case oracle.Good:
		w.active, w.standby, w.staged = r.Set.Digest, active, ""
		w.steps = append(w.steps, "switch ok", "health ok")
	case oracle.Broken:
		w.standby, w.staged, w.quarantined = r.Set.Digest, "", r.Set.Digest
		if r.Flow == Update {
			w.exit, w.reason = 1, r.Set.Reason
		}
		failed := slices.Repeat([]string{"health failed"}, attempts(r.Set))
		w.steps = slices.Concat(w.steps, []string{"switch ok"}, failed, []string{"rollback ok", "health ok"})
	}
	return w
}

// wantReturn says what has to come of an operator's rollback: the other slot's set, where it was good and differs.
func (r *Run) wantReturn() Want {
	was := r.Before
	active, standby := was.Active().Digest(), was.Standby()
	if !standby.Good || standby.Digest() == active || was.Quarantined(standby.Digest()) != "" {
		return r.refusal(refusal.NoPrevious)
	}
	staged := was.Staged()
	if staged == standby.Digest() || staged == active {
		staged = ""
	}
	return Want{verbs: 1, active: standby.Digest(), standby: active, staged: staged, quarantined: active,
		steps: []string{"rollback ok", "health ok"}}
}

// refusal says what has to come of a first verb that is refused: nothing changes.
func (r *Run) refusal(reason refusal.Reason) Want {
	step, was := "stage refused", r.Before
	if r.Flow == Rollback {
		step = "rollback refused"
	}
	return Want{verbs: 1, exit: 1, reason: reason, active: was.Active().Digest(), standby: was.Standby().Digest(),
		staged: was.Staged(), steps: []string{step}}
}

// refused reports whether nothing may change.
func (w Want) refused() bool {
	return w.steps[0] == "stage refused" || w.steps[0] == "rollback refused"
}

// attempts are how many a broken set gets: one that ran into the deadline gets no other.
func attempts(broken *oracle.Set) int {
	if broken.Reason == refusal.HealthTimeout {
		return 1
	}
	return tries
}
