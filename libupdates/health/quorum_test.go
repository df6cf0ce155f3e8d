package health_test

import (
	"testing"

	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// TestQuorum judges optional services, beside one that is required.
func TestQuorum(t *testing.T) {
	need := func(name string, state health.State) health.Service {
		return health.Service{Name: name, Version: "1.2.0", State: state}
	}
	can := func(name string, state health.State) health.Service {
		return health.Service{Name: name, Version: "1.2.0", State: state, Optional: true}
	}
	lost := func(detail string) health.Verdict {
		return health.Verdict{Outcome: health.Failed, Reason: refusal.QuorumLost, Detail: "optional services: " +
			detail}
	}
	open := func(detail string) health.Verdict {
		return health.Verdict{Outcome: health.Waiting, Detail: "optional services: " + detail}
	}
	ok := health.Verdict{Outcome: health.OK}
	core := need("core", health.Healthy)
	type services = []health.Service
	for _, c := range []struct {
		name     string
		services services
		need     int
		want     health.Verdict
	}{
		{"none is needed and none is well", services{core, can("a", health.Exited), can("b", health.Starting)}, 0, ok},
		{"one is needed and one is well", services{core, can("a", health.Exited), can("b", health.Healthy)}, 1, ok},
		{"one is needed and all start", services{core, can("a", health.Starting), can("b", health.Starting)}, 1,
			open("0 of 2 healthy, not 1: service a 1.2.0: starting")},
		{"one is needed and one may yet be well", services{core, can("a", health.Exited), can("b", health.Starting)}, 1,
			open("0 of 2 healthy, not 1: service b 1.2.0: starting")},
		{"one is needed and none can be well", services{core, can("b", health.Unhealthy), can("a", health.Exited)}, 1,
			lost("0 of 2 healthy, not 1: service a 1.2.0: exited")},
		{"all are needed and one ended", services{core, can("a", health.Healthy), can("b", health.StartFailed)}, 2,
			lost("1 of 2 healthy, not 2: service b 1.2.0: could not be started")},
		{"more are needed than there are", services{core, can("a", health.Healthy)}, 2, lost("1 of 1 healthy, not 2")},
		{"a required one is no help", services{core, need("other", health.Healthy), can("a", health.Starting)}, 1,
			open("0 of 1 healthy, not 1: service a 1.2.0: starting")},
		{"a required one fails first", services{need("core", health.Exited), can("a", health.Exited)}, 1,
			health.Verdict{Outcome: health.Failed, Reason: refusal.ServiceExited,
				Detail: "service core 1.2.0: exited"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := health.Judge(nil, c.services, c.need, nil); got != named(c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestQuorumUnderWatch has optional services that are started again and again.
func TestQuorumUnderWatch(t *testing.T) {
	service := func(name string, optional bool, restarts uint32) health.Watched {
		return health.Watched{
			Service: health.Service{Name: name, Version: "1.2.0", State: health.Healthy, Detail: "exit code 3",
				Optional: optional},
			Restarts: restarts,
		}
	}
	const loops = health.MaxRestarts + 1
	for _, c := range []struct {
		name         string
		services     []health.Watched
		need         int
		now, atLast  health.Outcome
		reasonAtLast refusal.Reason
	}{
		{"one loops and none is needed", []health.Watched{service("a", true, loops)}, 0, health.Waiting, health.OK, ""},
		{"one loops and the other is enough", []health.Watched{service("a", true, loops), service("b", true, 0)}, 1,
			health.Waiting, health.OK, ""},
		{"one loops and both are needed", []health.Watched{service("a", true, loops), service("b", true, 0)}, 2,
			health.Failed, health.Failed, refusal.CrashLoop},
		{"both loop and one is needed", []health.Watched{service("a", true, loops), service("b", true, loops)}, 1,
			health.Failed, health.Failed, refusal.CrashLoop},
		{"a required one loops", []health.Watched{service("a", true, 0), service("b", false, loops)}, 0, health.Failed,
			health.Failed, refusal.CrashLoop},
	} {
		now, atLast := health.JudgeWatch(c.services, c.need, false), health.JudgeWatch(c.services, c.need, true)
		if now.Outcome != c.now || atLast.Outcome != c.atLast || atLast.Reason != c.reasonAtLast {
			t.Errorf("%s: got %+v, at last %+v", c.name, now, atLast)
		}
	}
}
