package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/refusal"
)

// Daemon is one of the core daemons, as observed.
type Daemon struct {
	Name   string
	Ready  bool
	Failed bool   // it will not become ready in this attempt
	Detail string // one line for people
}

// Choice is what a voter has said about the attempt.
type Choice uint8

// The choices. Any other value counts as No.
const (
	NotCast Choice = iota // nothing yet
	Yes
	No
	Gone // the voter went away: no, to every attempt
)

// Vote is the word of someone the verdict has to wait for.
type Vote struct {
	Voter  string
	Boot   uint64 // the attempt it is about
	Choice Choice
	Detail string // one line for people
}

// Outcome is the kind of a verdict.
type Outcome uint8

// The outcomes.
const (
	Waiting Outcome = iota // not yet decided
	OK                     // everything is healthy
	Failed                 // something failed for good
)

// Verdict is what follows from what was observed.
type Verdict struct {
	Outcome Outcome
	Reason  refusal.Reason // why it failed, or will at the deadline where that is not HealthTimeout; empty otherwise
	Detail  string         // one line: who failed or is waited for; empty when OK
	Service string         // the service that this is, where it is one
}

// Judge gives the verdict on an attempt: OK when every daemon is ready, every required service healthy, need of the
// optional ones healthy, and every vote yes; Failed as soon as that can no longer be; else Waiting. The verdict does
// not depend on the order of the lists: daemons come before required services before optional ones before votes, within
// each the name that is first in byte order; and what is waited for through no fault of the set comes before the rest.
func Judge(core []Daemon, services []Service, need int, votes []Vote) Verdict {
	var findings []finding
	services = sorted(services, func(s Service) string { return s.Name })
	for _, d := range sorted(core, func(d Daemon) string { return d.Name }) {
		findings = append(findings, d.finding())
	}
	for _, s := range services {
		if !s.Optional {
			findings = append(findings, s.finding())
		}
	}
	findings = append(findings, quorum(need, services))
	for _, v := range sorted(votes, func(v Vote) string { return v.Voter }) {
		findings = append(findings, v.finding())
	}
	for _, wanted := range []func(finding) bool{finding.failed, finding.waitsExcused, finding.waits} {
		if i := slices.IndexFunc(findings, wanted); i >= 0 {
			return Verdict(findings[i])
		}
	}
	return Verdict{Outcome: OK}
}

// AtDeadline is what a verdict becomes when the time is up: who still waits has failed, as HealthTimeout unless it says
// otherwise.
func (v Verdict) AtDeadline() Verdict {
	if v.Outcome != Waiting {
		return v
	}
	return Verdict{Outcome: Failed, Reason: cmp.Or(v.Reason, refusal.HealthTimeout), Detail: v.Detail,
		Service: v.Service}
}

// finding is the verdict on one of those who take part.
type finding Verdict

func (f finding) failed() bool       { return f.Outcome == Failed }
func (f finding) waits() bool        { return f.Outcome == Waiting }
func (f finding) waitsExcused() bool { return f.Outcome == Waiting && f.Reason != "" }

func (d Daemon) finding() finding {
	switch {
	case d.Failed:
		return failing(refusal.CoreNotReady, "daemon "+d.Name, "failed", d.Detail)
	case !d.Ready:
		return waiting(refusal.CoreNotReady, "daemon "+d.Name, "not ready", d.Detail)
	}
	return finding{Outcome: OK}
}

func (s Service) finding() finding {
	f := s.judged()
	if f.Outcome != OK {
		f.Service = s.Name
	}
	return f
}

func (s Service) judged() finding {
	who := fmt.Sprintf("service %s %s", s.Name, s.Version)
	switch s.State {
	case Healthy:
		return finding{Outcome: OK}
	case Starting:
		return waiting("", who, "starting", s.Detail)
	case Hindered:
		return waiting(s.State.Reason(), who, "cannot be started on this machine", s.Detail)
	case Exited:
		return failing(refusal.ServiceExited, who, "exited", s.Detail)
	case StartFailed:
		return failing(refusal.ServiceStartFailed, who, "could not be started", s.Detail)
	default:
		return failing(refusal.ServiceUnhealthy, who, "unhealthy", s.Detail)
	}
}

func (v Vote) finding() finding {
	switch v.Choice {
	case Yes:
		return finding{Outcome: OK}
	case NotCast:
		return waiting("", v.Voter, "has not voted", v.Detail)
	default:
		return failing(refusal.SelftestFailed, v.Voter, "voted no", v.Detail)
	}
}

func waiting(late refusal.Reason, who, how, detail string) finding {
	return finding{Outcome: Waiting, Reason: late, Detail: sentence(who, how, detail)}
}

func failing(reason refusal.Reason, who, how, detail string) finding {
	return finding{Outcome: Failed, Reason: reason, Detail: sentence(who, how, detail)}
}

func sentence(who, how, detail string) string {
	if detail == "" {
		return who + ": " + how
	}
	return who + ": " + how + ": " + detail
}

// sorted returns the values in byte order of their names and leaves the list as it is.
func sorted[V any](list []V, name func(V) string) []V {
	return slices.SortedStableFunc(slices.Values(list), func(x, y V) int { return strings.Compare(name(x), name(y)) })
}
