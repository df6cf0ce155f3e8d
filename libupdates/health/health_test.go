package health_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

func TestJudge(t *testing.T) {
	ready := health.Daemon{Name: "logd", Ready: true}
	late := health.Daemon{Name: "execd", Detail: "no answer"}
	dead := health.Daemon{Name: "samgrd", Ready: true, Failed: true, Detail: "exit status 2"}
	service := func(name string, state health.State, detail string) health.Service {
		return health.Service{Name: name, Version: "1.2.0", State: state, Detail: detail}
	}
	yes := health.Vote{Voter: "selftest", Choice: health.Yes}
	open := health.Vote{Voter: "selftest"}
	no := health.Vote{Voter: "selftest", Choice: health.No, Detail: "ota stage"}

	type daemons = []health.Daemon
	type services = []health.Service
	type votes = []health.Vote
	for _, c := range []struct {
		name     string
		core     daemons
		services services
		votes    votes
		want     health.Verdict
	}{
		{"nothing to wait for", nil, nil, nil, health.Verdict{Outcome: health.OK}},
		{"all well", daemons{ready}, services{service("alpha", health.Healthy, "")}, votes{yes},
			health.Verdict{Outcome: health.OK}},

		{"a daemon is late", daemons{ready, late}, services{service("alpha", health.Healthy, "")}, votes{yes},
			health.Verdict{Outcome: health.Waiting, Reason: refusal.CoreNotReady, Detail: "daemon execd: not ready: no answer"}},
		{"a service starts", daemons{ready}, services{service("alpha", health.Starting, "")}, votes{yes},
			health.Verdict{Outcome: health.Waiting, Detail: "service alpha 1.2.0: starting"}},
		{"a service is hindered", daemons{ready},
			services{service("alpha", health.Starting, ""), service("beta", health.Hindered, "no memory")}, votes{open},
			health.Verdict{Outcome: health.Waiting, Reason: refusal.Hindered,
				Detail: "service beta 1.2.0: cannot be started on this machine: no memory"}},
		{"one is hindered and one has failed", nil,
			services{service("alpha", health.Hindered, ""), service("beta", health.Exited, "")}, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceExited, Detail: "service beta 1.2.0: exited"}},
		{"a vote is open", daemons{ready}, nil, votes{open},
			health.Verdict{Outcome: health.Waiting, Detail: "selftest: has not voted"}},

		{"a daemon failed", daemons{dead}, nil, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.CoreNotReady,
				Detail: "daemon samgrd: failed: exit status 2"}},
		{"a service ended", nil, services{service("alpha", health.Exited, "signal 11")}, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceExited,
				Detail: "service alpha 1.2.0: exited: signal 11"}},
		{"a service fails", nil, services{service("alpha", health.Unhealthy, "no disk")}, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceUnhealthy,
				Detail: "service alpha 1.2.0: unhealthy: no disk"}},
		{"a service in no known state", nil, services{service("alpha", 99, "")}, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceUnhealthy,
				Detail: "service alpha 1.2.0: unhealthy"}},
		{"a service did not start", nil, services{service("alpha", health.StartFailed, "")}, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceStartFailed,
				Detail: "service alpha 1.2.0: could not be started"}},
		{"a vote against", nil, nil, votes{no},
			health.Verdict{Outcome: health.Failed, Reason: refusal.SelftestFailed,
				Detail: "selftest: voted no: ota stage"}},
		{"a vote of no known kind", nil, nil, votes{{Voter: "selftest", Choice: 99}},
			health.Verdict{Outcome: health.Failed, Reason: refusal.SelftestFailed, Detail: "selftest: voted no"}},

		{"failure comes before waiting", daemons{late}, services{service("alpha", health.Exited, "")}, votes{open},
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceExited,
				Detail: "service alpha 1.2.0: exited"}},
		{"daemons come before services before votes", daemons{dead}, services{service("alpha", health.Exited, "")},
			votes{no},
			health.Verdict{Outcome: health.Failed, Reason: refusal.CoreNotReady,
				Detail: "daemon samgrd: failed: exit status 2"}},
		{"the first name in byte order", nil, services{service("b", health.Exited, ""),
			service("a", health.StartFailed, "")}, nil,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceStartFailed,
				Detail: "service a 1.2.0: could not be started"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			asGiven := slices.Clone(c.services)
			if got := health.Judge(c.core, c.services, 0, c.votes); got != named(c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if !slices.Equal(c.services, asGiven) {
				t.Error("the list was changed")
			}
		})
	}
}

func TestAtDeadline(t *testing.T) {
	alpha := func(state health.State, optional bool) []health.Service {
		return []health.Service{{Name: "alpha", Version: "1.2.0", State: state, Optional: optional, Detail: "why"}}
	}
	for _, c := range []struct {
		waiting health.Verdict
		reason  refusal.Reason
		detail  string
	}{
		{health.Judge([]health.Daemon{{Name: "execd"}}, nil, 0, nil), refusal.CoreNotReady, "daemon execd: not ready"},
		{health.Judge(nil, alpha(health.Starting, false), 0, nil), refusal.HealthTimeout,
			"service alpha 1.2.0: starting: why"},
		{health.Judge(nil, alpha(health.Hindered, false), 0, nil), refusal.Hindered,
			"service alpha 1.2.0: cannot be started on this machine: why"},
		{health.Judge(nil, alpha(health.Hindered, true), 1, nil), refusal.Hindered,
			"optional services: 0 of 1 healthy, not 1: service alpha 1.2.0: cannot be started on this machine: why"},
		{health.Judge(nil, nil, 0, []health.Vote{{Voter: "selftest"}}), refusal.HealthTimeout, "selftest: has not voted"},
	} {
		want := health.Verdict{Outcome: health.Failed, Reason: c.reason, Detail: c.detail, Service: c.waiting.Service}
		if got := c.waiting.AtDeadline(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, v := range []health.Verdict{
		{Outcome: health.OK},
		{Outcome: health.Failed, Reason: refusal.ServiceExited, Detail: "service alpha 1.2.0: exited"},
	} {
		if got := v.AtDeadline(); got != v {
			t.Errorf("a verdict of %+v became %+v", v, got)
		}
	}
}

func TestNativeState(t *testing.T) {
	for _, c := range []struct {
		answer  health.Answer
		version string
		want    health.State
	}{
		{health.AnswerNone, "", health.Starting},
		{health.AnswerStarting, "1.2.0", health.Starting},
		{health.AnswerOK, "1.2.0", health.Healthy},
		{health.AnswerOK, "", health.Starting},
		{health.AnswerOK, "1.1.0", health.Unhealthy},
		{health.AnswerStarting, "1.1.0", health.Unhealthy},
		{health.AnswerFailing, "1.2.0", health.Unhealthy},
		{health.AnswerFailing, "", health.Unhealthy},
		{99, "1.2.0", health.Starting},
	} {
		if got := health.NativeState(c.answer, c.version, "1.2.0"); got != c.want {
			t.Errorf("answer %d, version %q: got %v, want %v", c.answer, c.version, got, c.want)
		}
	}
}

func TestPolicyBounds(t *testing.T) {
	if p := health.DefaultPolicy(); p.Check() != nil || p.Tries != bootctl.DefaultTries {
		t.Errorf("the default %+v is out of bounds or has other tries than bootctl", p)
	}
	for name, c := range map[string]struct {
		policy health.Policy
		ok     bool
	}{
		"zero value": {health.Policy{}, false},
		"smallest":   {health.Policy{SettleTime: 0, Deadline: 1, Tries: 1}, true},
		"largest": {health.Policy{SettleTime: health.MaxDeadline - 1, Deadline: health.MaxDeadline,
			Tries: health.MaxTries}, true},
		"no tries":             {health.Policy{Deadline: 1}, false},
		"too many tries":       {health.Policy{Deadline: 1, Tries: health.MaxTries + 1}, false},
		"too long a deadline":  {health.Policy{Deadline: health.MaxDeadline + 1, Tries: 1}, false},
		"never settles":        {health.Policy{SettleTime: time.Second, Deadline: time.Second, Tries: 1}, false},
		"negative settle time": {health.Policy{SettleTime: -1, Deadline: time.Second, Tries: 1}, false},
	} {
		if err := c.policy.Check(); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// named is a verdict about the service that its detail names.
func named(v health.Verdict) health.Verdict {
	if m := regexp.MustCompile(`\bservice (\S+) `).FindStringSubmatch(v.Detail); m != nil {
		v.Service = m[1]
	}
	return v
}
