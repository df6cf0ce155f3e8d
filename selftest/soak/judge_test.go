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
	for _, rule := range []func(*Run) error{keepsPromise, ackedStays, rolledBackForCause} {
		if err := rule(r); err != nil {
			return err
		}
	}
	if r.Hit == "" && r.Flow != Rivals && !r.crashLooped() {
		return r.undisturbed()
	}
	return nil
}

// keepsPromise wants the confirmed set to be the one before or, if it is good, the new one; after an operator's
// rollback or a crash loop, the one returned to. Boot numbers grow, and by no more than one cycle can need, and what
// was quarantined still is, unless the record was in memory and went with initd.
func keepsPromise(r *Run) error {
	p := oracle.Promise{Active: []string{r.Before.Active().Digest()}}
	for _, set := range []*oracle.Set{r.Set, r.Other} {
		if set != nil && set.Fate == oracle.Good {
			p.Active = append(p.Active, set.Digest)
		}
	}
	if r.Flow == Rollback || r.crashLooped() {
		p.Active = append(p.Active, r.Before.Standby().Digest())
	}
	if !r.Target.restarts() || r.After.Persistent {
		p.Boot, p.Boots = r.Before.Boot, maxBoots
		for _, q := range r.Before.Quarantine {
			p.Quarantined = append(p.Quarantined, q.IndexSHA256)
		}
	}
	return p.Check(r.After)
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
