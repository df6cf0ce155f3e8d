package soak

import (
	"strings"
	"time"

	"nexus/libupdates/refusal"
	"nexus/selftest/oracle"
)

// What makes a crash loop of a service whose set is under watch: being started again more often than that. Nobody looks
// all the time, so the verdict may be late.
const (
	maxRestarts = 2
	watchBound  = 5 * time.Second
)

// noteKill counts how often services of the confirmed set were killed in one life of execd, which is who counts.
func (s *Soak) noteKill(r *Run) {
	switch {
	case r.Target.restarts(), strings.Contains(r.Hit, "execd"):
		s.kills = 0
	case r.Target == Service && r.Hit != "":
		s.kills++
	}
	r.Kills = s.kills
}

// noteConfirmed begins to count anew for another set. A kill in this cycle may have been one of its services.
func (s *Soak) noteConfirmed(r *Run) {
	if r.After.ActiveSlot == r.Before.ActiveSlot {
		return
	}
	s.kills = 0
	if r.Target == Service && r.Hit != "" {
		s.kills = 1
	}
}

// looping reports whether a verdict on a crash loop is due.
func (s *Soak) looping(now oracle.State) bool { return now.Watched && s.kills > maxRestarts }

// crashLooped reports whether the confirmed set was left because its services were killed too often.
func (r *Run) crashLooped() bool {
	was, last := r.Before.LastRollback, r.After.LastRollback
	return r.Kills > maxRestarts && last != nil && last.Reason == refusal.CrashLoop && (was == nil || *was != *last)
}
