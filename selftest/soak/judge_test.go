package soak

import (
	"fmt"
	"slices"

	"nexus/libupdates/refusal"
	"nexus/selftest/oracle"
)

// maxBoots bounds the boot numbers one cycle may draw: a switch, its tries, a rollback and the attempt after it; twice
// that where two operators switch.
const maxBoots = 2 * (1 + tries + 1 + 1)

// judge holds the state after a cycle against the state before: what may have changed under any fault, and what must
// have come of it where there was none.
func (s *Soak) judge(r *Run) error {
	for _, rule := range []func(*Run) error{oldOrNew, ackedStays, neverBack, keepsQuarantine, rolledBackForCause} {
		if err := rule(r); err != nil {
			return err
		}
	}
	if r.Hit == "" && r.Flow != Rivals && !r.crashLooped() {
		return r.undisturbed()
	}
	return nil
}

// oldOrNew wants the confirmed set to be the one before or, if it is good, the new one; after an operator's rollback or
// a crash loop, the one returned to.
func oldOrNew(r *Run) error {
	now, was := r.After.Active().Digest(), r.Before.Active().Digest()
	for _, set := range []*oracle.Set{r.Set, r.Other} {
		if set != nil && set.Fate == oracle.Good && now == set.Digest {
			return nil
		}
	}
	if now == was || (r.Flow == Rollback || r.crashLooped()) && now == r.Before.Standby().Digest() {
		return nil
	}
	return fmt.Errorf("the confirmed set was %.12s and is %.12s, which nobody brought", was, now)
}

// ackedStays wants that a commit somebody was told of is still there: nx said so, or the console did. A cycle with one
// operator confirms another slot once at most. A set that is under watch may still be left, for services that were
// killed too often.
func ackedStays(r *Run) error {
	if r.crashLooped() {
		return nil
	}
	if r.Flow == Update && r.Verbs[0].Exit() == 0 && r.After.Active().Digest() != r.Set.Digest {
		return fmt.Errorf("nx update said %q is committed, and %.12s is active", r.Set.Name, r.After.Active().Digest())
	}
	if r.Flow == Rivals {
		return nil
	}
	told := "init: health ok (slot " + oracle.Other(r.Before.ActiveSlot) + ")"
	if slices.Contains(r.Lines, told) && r.After.ActiveSlot == r.Before.ActiveSlot {
		return fmt.Errorf("the console said %q, and slot %s is active", told, r.After.ActiveSlot)
	}
	return nil
}

// neverBack wants boot numbers to grow, and by no more than one cycle can need: the number of starts is bounded.
func neverBack(r *Run) error {
	if r.forgot() {
		return nil
	}
	if drawn := r.After.Boot - r.Before.Boot; r.After.Boot < r.Before.Boot || drawn > maxBoots {
		return fmt.Errorf("the boot number went from %d to %d", r.Before.Boot, r.After.Boot)
	}
	return nil
}

// forgot reports whether the record was in memory and went with initd.
func (r *Run) forgot() bool { return r.Target.restarts() && !r.After.Persistent }

// keepsQuarantine wants that what was quarantined still is.
func keepsQuarantine(r *Run) error {
	if r.forgot() {
		return nil
	}
	for _, q := range r.Before.Quarantine {
		if r.After.Quarantined(q.IndexSHA256) == "" {
			return fmt.Errorf("set %.12s is no longer quarantined", q.IndexSHA256)
		}
	}
	return nil
}

// rolledBackForCause wants that a set that was newly quarantined is of this cycle, for a reason that its fate, the
// operator or the fault gives.
func rolledBackForCause(r *Run) error {
	for _, q := range r.After.Quarantine {
		if r.Before.Quarantined(q.IndexSHA256) == q.Reason {
			continue
		}
		if !slices.Contains(r.causes(q.IndexSHA256), q.Reason) {
			return fmt.Errorf("set %.12s was rolled back for %q, without a cause", q.IndexSHA256, q.Reason)
		}
		if last := r.After.LastRollback; last == nil || r.Flow != Rivals &&
			(last.IndexSHA256 != q.IndexSHA256 || last.Reason != q.Reason) {
			return fmt.Errorf("set %.12s was rolled back for %q, and the last rollback is %+v", q.IndexSHA256, q.Reason,
				last)
		}
	}
	return nil
}

// causes are the reasons for which this cycle may roll a set back.
func (r *Run) causes(digest string) []refusal.Reason {
	var causes []refusal.Reason
	mine := false
	for _, set := range []*oracle.Set{r.Set, r.Other} {
		if set != nil && set.Digest == digest {
			mine = true
			if set.Fate == oracle.Broken {
				causes = append(causes, set.Reason)
			}
		}
	}
	if r.Flow == Rollback {
		return append(causes, refusal.ByOperator)
	}
	if r.crashLooped() && (mine || digest == r.Before.Active().Digest()) {
		return append(causes, refusal.CrashLoop)
	}
	if !mine {
		return nil
	}
	switch r.Target {
	case Service:
		causes = append(causes, refusal.ServiceExited)
	case Daemon:
		if r.Set.Fate == oracle.Broken {
			// not what a dead daemon itself ends a trial with: that puts no set into quarantine
			causes = append(causes, refusal.HealthTimeout, refusal.ServiceExited, refusal.ServiceUnhealthy,
				refusal.ServiceStartFailed)
		}
	case Init, Everything: // where the record outlives them, each start of a trial takes a try
		causes = append(causes, refusal.TriesExhausted, refusal.CrashLoop)
	}
	return causes
}

// undisturbed wants exactly what has to come of a cycle that nothing disturbed.
func (r *Run) undisturbed() error {
	want := r.want()
	last := r.Verbs[len(r.Verbs)-1]
	switch {
	case len(r.Verbs) != want.verbs:
		return fmt.Errorf("the flow ended with verb %d, want %d: %s", len(r.Verbs), want.verbs, last)
	case last.Exit() != want.exit || !last.Watched && last.Reason() != want.reason:
		return fmt.Errorf("%s; want exit %d %s", last, want.exit, want.reason)
	case r.After.Active().Digest() != want.active:
		return fmt.Errorf("%.12s is active, want %.12s", r.After.Active().Digest(), want.active)
	case r.After.Staged() != want.staged:
		return fmt.Errorf("%.12q is staged, want %.12q", r.After.Staged(), want.staged)
	case r.After.Standby().Digest() != want.standby:
		return fmt.Errorf("the standby slot holds %.12q, want %.12q", r.After.Standby().Digest(), want.standby)
	case want.quarantined != "" && r.After.Quarantined(want.quarantined) == "":
		return fmt.Errorf("set %.12s is not quarantined", want.quarantined)
	}
	return nil
}

// A Want is what has to come of an undisturbed cycle.
type Want struct {
	verbs           int // how many of the flow's verbs were run
	exit            int
	reason          refusal.Reason
	active, standby string // digests
	staged          string // digest
	quarantined     string // digest
}

// want says what has to come of it.
func (r *Run) want() Want {
	was := r.Before
	active, standby := was.Active().Digest(), was.Standby().Digest()
	unchanged := Want{verbs: 1, exit: 1, active: active, standby: standby, staged: was.Staged()}
	if r.Flow == Rollback {
		return r.wantReturn(unchanged)
	}
	refused := unchanged
	staged := Want{verbs: 1, active: active, standby: standby, staged: r.Set.Digest}
	switch {
	case was.Quarantined(r.Set.Digest) != "":
		refused.reason = refusal.Quarantined
		return refused
	case r.Set.Fate == oracle.Refused:
		refused.reason = r.Set.Reason
		return refused
	case active == r.Set.Digest:
		refused.reason = refusal.AlreadyActive
		return refused
	case r.Flow == Stage:
		return staged
	case r.Flow == Discard:
		return Want{verbs: 2, active: active, standby: standby}
	}
	if r.Flow == Switch {
		staged.verbs = 2
	}
	switch r.Set.Fate {
	case oracle.Unfit:
		staged.exit, staged.reason = 1, r.Set.Reason
	case oracle.Good:
		staged.active, staged.standby, staged.staged = r.Set.Digest, active, ""
	case oracle.Broken:
		staged.standby, staged.staged, staged.quarantined = r.Set.Digest, "", r.Set.Digest
		if r.Flow == Update {
			staged.exit, staged.reason = 1, r.Set.Reason
		}
	}
	return staged
}

// wantReturn says what has to come of an operator's rollback: the other slot's set, where it was good and differs.
func (r *Run) wantReturn(refused Want) Want {
	was := r.Before
	active, standby := was.Active().Digest(), was.Standby()
	if !standby.Good || standby.Digest() == active || was.Quarantined(standby.Digest()) != "" {
		refused.reason = refusal.NoPrevious
		return refused
	}
	staged := was.Staged()
	if staged == standby.Digest() || staged == active {
		staged = ""
	}
	return Want{verbs: 1, active: standby.Digest(), standby: active, staged: staged, quarantined: active}
}
