package health_test

import (
	"testing"

	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

func TestJudgeWatch(t *testing.T) {
	service := func(name string, state health.State, restarts uint32) health.Watched {
		return health.Watched{Service: health.Service{Name: name, Version: "1.2.0", State: state,
			Detail: "exit code 3"}, Restarts: restarts}
	}
	type services = []health.Watched
	loop := health.Verdict{Outcome: health.Failed, Reason: refusal.CrashLoop,
		Detail: "service alpha 1.2.0: started again 3 times: exit code 3"}
	unwell := health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceUnhealthy,
		Detail: "service alpha 1.2.0: unhealthy: exit code 3"}
	for _, c := range []struct {
		name        string
		services    services
		now, atLast health.Outcome
		why         health.Verdict // where it fails
	}{
		{"no services", nil, health.Waiting, health.OK, health.Verdict{}},
		{"well", services{service("alpha", health.Healthy, 0)}, health.Waiting, health.OK, health.Verdict{}},
		{"well again", services{service("alpha", health.Healthy, health.MaxRestarts)}, health.Waiting, health.OK,
			health.Verdict{}},
		{"in a crash loop", services{service("beta", health.Healthy, 0),
			service("alpha", health.Starting, health.MaxRestarts+1)},
			health.Failed, health.Failed, loop},
		{"not well", services{service("alpha", health.Unhealthy, 1)}, health.Waiting, health.Failed, unwell},
		{"about to start", services{service("alpha", health.Starting, 1)}, health.Waiting, health.Waiting,
			health.Verdict{}},
	} {
		now, atLast := health.JudgeWatch(c.services, 0, false), health.JudgeWatch(c.services, 0, true)
		if now.Outcome != c.now || atLast.Outcome != c.atLast {
			t.Errorf("%s: got %+v, at last %+v", c.name, now, atLast)
		}
		if atLast.Outcome == health.Failed && atLast != named(c.why) {
			t.Errorf("%s: got %+v, want %+v", c.name, atLast, c.why)
		}
	}
}

// A crash loop says how the service failed last, also while it is starting again and says nothing itself.
func TestCrashLoopSaysHow(t *testing.T) {
	again := health.Watched{Service: health.Service{Name: "alpha", Version: "1.2.0", State: health.Starting},
		Restarts: health.MaxRestarts + 1, Last: "exit code 3"}
	const want = "service alpha 1.2.0: started again 3 times: exit code 3"
	if got := health.JudgeWatch([]health.Watched{again}, 0, false); got.Detail != want || got.Service != "alpha" {
		t.Errorf("got %+v, want %q", got, want)
	}
}
