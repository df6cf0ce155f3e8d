package health_test

import (
	"slices"
	"testing"
	"time"

	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// policy is that of the tests: 3 s for a verdict, 2 s under watch, 5 s until a daemon counts as hung.
func policy() health.Policy {
	return health.Policy{Deadline: 3 * time.Second, Tries: 2, Watch: 2 * time.Second, Hang: 5 * time.Second}
}

const (
	reporter = "execd"
	boot     = 7
)

// Events of the tests.
var (
	recorded = health.Recorded{Boot: boot}
	moved    = health.Recorded{Boot: boot + 1}
	began    = health.Began{Attempt: health.Attempt{Boot: boot, Policy: policy(), Trial: true}}
	ready    = health.Seen{Core: []health.Daemon{{Name: reporter, Ready: true}, {Name: "updated", Ready: true}}}
	second   = health.Ticked{Ran: time.Second}
)

// revoked is how they are once an operator has taken something away.
var revoked = health.Seen{Core: ready.Core, Revoked: health.Revocations{Count: 1, Last: "execd Log"}}

// limited is how they are on a machine that hinders services; both, where something was revoked besides;
// limitedAndDead, while the reporter is dead.
var (
	limited        = health.Seen{Core: ready.Core, Hindrance: "the limit of processes is 9"}
	both           = health.Seen{Core: ready.Core, Revoked: revoked.Revoked, Hindrance: limited.Hindrance}
	limitedAndDead = health.Seen{Core: dead().Core, Hindrance: limited.Hindrance}
)

// dead is how the daemons are while the reporter is dead.
func dead() health.Seen {
	return health.Seen{Core: []health.Daemon{{Name: reporter}, {Name: "updated", Ready: true}}}
}

// voted is how the daemons are, all ready, with a vote.
func voted(about uint64, choice health.Choice) health.Seen {
	return health.Seen{Core: ready.Core, Votes: []health.Vote{{Voter: "selftest", Boot: about, Choice: choice}}}
}

// says is a report on the one service there is.
func says(state health.State, more ...func(*health.Reported)) health.Reported {
	r := health.Reported{Life: 1, Boot: boot,
		Services: []health.Watched{{Service: health.Service{Name: "hello", Version: "1.1.0", State: state}}}}
	for _, f := range more {
		f(&r)
	}
	return r
}

func of(attempt uint64) func(*health.Reported) {
	return func(r *health.Reported) { r.Boot = attempt }
}

func inLife(life uint64) func(*health.Reported) {
	return func(r *health.Reported) { r.Life = life }
}

func after(restarts, lapses uint32) func(*health.Reported) {
	return func(r *health.Reported) { r.Services[0].Restarts, r.Services[0].Lapses = restarts, lapses }
}

// times repeats events.
func times(n int, events ...health.Event) []health.Event {
	return slices.Repeat(events, n)
}

// playing feeds the events to a trial of a boot and returns what it asked for, Nothing left out.
func playing(t *testing.T, takesUp bool, events ...[]health.Event) (health.Trial, []health.Action) {
	t.Helper()
	trial := health.NewTrial(reporter, policy(), takesUp)
	var asked []health.Action
	for _, e := range slices.Concat(events...) {
		var do health.Action
		if trial, do = trial.After(e); do.Do != health.Nothing {
			asked = append(asked, do)
		}
	}
	return trial, asked
}

// TestTruthTableOfTrials fixes what is asked for after each kind of story.
func TestTruthTableOfTrials(t *testing.T) {
	type story = []health.Event
	begin := health.Action{Do: health.Begin}
	commit := health.Action{Do: health.Commit, Boot: boot, Watch: true}
	end := health.Action{Do: health.EndWatch, Boot: boot}
	fail := func(reason refusal.Reason, detail string) health.Action {
		v := named(health.Verdict{Detail: detail})
		return health.Action{Do: health.Fail, Boot: boot, Reason: reason, Detail: detail, Service: v.Service}
	}
	under := story{recorded, began, ready, says(health.Healthy), health.Confirmed{Watched: true}} // watch
	sure := health.Began{Attempt: health.Attempt{Boot: boot, Policy: policy()}}
	abrupt := health.Began{Attempt: health.Attempt{Boot: boot, Policy: policy(), Abrupt: true}}
	broken := health.Began{Attempt: health.Attempt{Boot: boot, Policy: policy(), Reason: refusal.PublishFailed,
		Detail: "why"}}
	for name, c := range map[string]struct {
		story story
		want  []health.Action
	}{
		"nothing before the record speaks": {story{ready, second}, nil},
		"an attempt at once":               {story{recorded}, []health.Action{begin}},
		"an attempt that waits": {story{health.Recorded{Pause: 2 * time.Second}, second},
			[]health.Action{{Do: health.Hold, Pause: 2 * time.Second}}},
		"an attempt that has waited": {append(story{health.Recorded{Pause: 2 * time.Second}}, times(2, second)...),
			[]health.Action{{Do: health.Hold, Pause: 2 * time.Second}, begin}},
		"an operator ends the pause": {story{health.Recorded{Pause: 2 * time.Second}, recorded},
			[]health.Action{{Do: health.Hold, Pause: 2 * time.Second}, begin}},
		"an attempt that could not be begun": {story{recorded, health.Undone{}}, []health.Action{begin, begin}},
		"not published": {story{recorded, broken},
			[]health.Action{begin, fail(refusal.PublishFailed, "why")}},

		"healthy": {story{recorded, began, ready, says(health.Healthy)},
			[]health.Action{begin, commit}},
		"healthy before the daemons": {story{recorded, began, dead(), says(health.Healthy), ready},
			[]health.Action{begin, commit}},
		"healthy, in another attempt": {story{recorded, began, ready, says(health.Healthy, of(boot-1))},
			[]health.Action{begin}},
		"starting": {story{recorded, began, ready, says(health.Starting)},
			[]health.Action{begin}},
		"exited": {story{recorded, began, ready, says(health.Exited)},
			[]health.Action{begin, fail(refusal.ServiceExited, "service hello 1.1.0: exited")}},
		"exited after it was healthy": {story{recorded, began, voted(boot, health.NotCast), says(health.Healthy),
			says(health.Exited), voted(boot, health.Yes)}, []health.Action{begin, commit}},
		"no vote": {story{recorded, began, voted(boot, health.NotCast), says(health.Healthy)},
			[]health.Action{begin}},
		"a vote on the attempt before": {story{recorded, began, voted(boot-1, health.Yes), says(health.Healthy)},
			[]health.Action{begin}},
		"hindered": {append(story{recorded, began, ready}, times(3, second, says(health.Hindered))...),
			[]health.Action{begin, fail(refusal.Hindered, "service hello 1.1.0: cannot be started on this machine")}},
		"hindered for a while": {story{recorded, began, ready, says(health.Hindered), second, says(health.Starting),
			second, says(health.Healthy)}, []health.Action{begin, commit}},
		"exited after something was revoked": {story{recorded, began, ready, revoked, says(health.Exited)},
			[]health.Action{begin, fail(refusal.Revoked,
				"execd Log: revoked by an operator: service hello 1.1.0: exited")}},
		"exited after something was revoked while the attempt was begun": {
			story{ready, recorded, health.Undone{}, revoked, health.Undone{}, began, says(health.Exited)},
			[]health.Action{begin, begin, begin, fail(refusal.Revoked,
				"execd Log: revoked by an operator: service hello 1.1.0: exited")}},
		"exited on a machine with a limit": {story{recorded, began, limited, says(health.Exited)},
			[]health.Action{begin, fail(refusal.Hindered,
				"this machine: the limit of processes is 9: service hello 1.1.0: exited")}},
		"healthy on a machine with a limit": {story{recorded, began, limited, says(health.Healthy)},
			[]health.Action{begin, commit}},
		"exited after something was revoked, on a machine with a limit": {
			story{recorded, began, limited, both, says(health.Exited)},
			[]health.Action{begin, fail(refusal.Revoked,
				"execd Log: revoked by an operator: service hello 1.1.0: exited")}},
		"a crash loop on a machine with a limit": {append(slices.Clone(under), second, limited,
			says(health.Starting, after(3, 0))), []health.Action{begin, commit, fail(refusal.Hindered,
			"this machine: the limit of processes is 9: service hello 1.1.0: started again 3 times")}},
		"the deadline of a dead daemon on a machine with a limit": {
			append(story{recorded, began, limitedAndDead}, times(3, second)...),
			[]health.Action{begin, fail(refusal.CoreNotReady, "daemon execd: not ready")}},
		"exited after something was revoked before the attempt": {
			story{revoked, recorded, began, says(health.Exited)},
			[]health.Action{begin, fail(refusal.ServiceExited, "service hello 1.1.0: exited")}},
		"voted no": {story{recorded, began, voted(boot, health.No)},
			[]health.Action{begin, fail(refusal.SelftestFailed, "selftest: voted no")}},
		"a new attempt while it gathers": {story{recorded, began, ready, moved}, []health.Action{begin, begin}},
		"the commit is lost": {story{recorded, began, ready, says(health.Healthy), says(health.Exited),
			health.Undone{}}, []health.Action{begin, commit, commit}},
		"the commit comes too late": {story{recorded, began, ready, says(health.Healthy), health.TooLate{}, second,
			moved}, []health.Action{begin, commit, begin}},
		"failed, and another attempt": {story{recorded, began, ready, says(health.Exited), health.Rejected{}},
			[]health.Action{begin, fail(refusal.ServiceExited, "service hello 1.1.0: exited"), begin}},
		"failed, and nothing to return to": {append(story{recorded, sure, ready, says(health.Exited),
			health.Rejected{Stays: true}}, times(9, second, says(health.Starting))...),
			[]health.Action{begin, fail(refusal.ServiceExited, "service hello 1.1.0: exited")}},
		"healthy after all": {story{recorded, sure, ready, says(health.Exited), health.Rejected{Stays: true},
			says(health.Healthy)},
			[]health.Action{begin, fail(refusal.ServiceExited, "service hello 1.1.0: exited"), commit}},

		"the deadline": {append(story{recorded, began, ready}, times(3, second, says(health.Starting))...),
			[]health.Action{begin, fail(refusal.HealthTimeout, "service hello 1.1.0: starting")}},
		"the deadline of a dead daemon": {append(story{recorded, began, dead()}, times(3, second)...),
			[]health.Action{begin, fail(refusal.CoreNotReady, "daemon execd: not ready")}},
		"no deadline while a verdict is delivered": {append(append(story{recorded, began, ready, says(health.Healthy)},
			times(9, second)...), health.Confirmed{}),
			[]health.Action{begin, commit}},
		"execd is stopped for longer than the deadline": {append(
			append(story{recorded, began, ready, says(health.Starting)}, times(6, second)...), says(health.Healthy)),
			[]health.Action{begin, commit}},
		"execd is stopped until it is killed, and its services begin anew": {
			slices.Concat(story{recorded, began, ready}, times(2, second, says(health.Starting)), times(5, second),
				story{health.Unreported{}, dead(), ready}, times(2, second, says(health.Starting, inLife(2))),
				story{says(health.Healthy, inLife(2))}),
			[]health.Action{begin, commit}},
		"execd never answers": {append(story{recorded, began, ready}, times(9, second)...),
			[]health.Action{begin, fail(refusal.CoreNotReady, "daemon execd: does not answer")}},

		"under watch": {under, []health.Action{begin, commit}},
		"not watched": {append(story{recorded, began, ready, says(health.Healthy), health.Confirmed{}},
			times(9, second)...), []health.Action{begin, commit}},
		"the watch": {append(slices.Clone(under), times(2, second, says(health.Healthy))...),
			[]health.Action{begin, commit, end}},
		"watched on": {append(slices.Clone(under), second, says(health.Healthy, after(2, 0))),
			[]health.Action{begin, commit}},
		"a crash loop": {append(slices.Clone(under), second, says(health.Starting, after(3, 0))),
			[]health.Action{begin, commit, fail(refusal.CrashLoop, "service hello 1.1.0: started again 3 times")}},
		"becomes unhealthy again and again": {append(slices.Clone(under), second, says(health.Healthy, after(1, 2))),
			[]health.Action{begin, commit, fail(refusal.CrashLoop,
				"service hello 1.1.0: started again 1 times and unhealthy 2 times")}},
		"unhealthy when the watch is over": {append(slices.Clone(under),
			times(2, second, says(health.Unhealthy, after(0, 1)))...),
			[]health.Action{begin, commit, fail(refusal.ServiceUnhealthy, "service hello 1.1.0: unhealthy")}},
		"starting when the watch is over": {append(slices.Clone(under),
			times(4, second, says(health.Starting, after(1, 0)))...), []health.Action{begin, commit}},
		"starting for ever": {append(slices.Clone(under), times(5, second, says(health.Starting, after(1, 0)))...),
			[]health.Action{begin, commit, fail(refusal.HealthTimeout, "service hello 1.1.0: starting")}},
		"nobody reports under watch": {append(append(slices.Clone(under), health.Unreported{}),
			times(9, second)...), []health.Action{begin, commit}},
		"execd is stopped under watch": {append(slices.Clone(under), times(9, second)...),
			[]health.Action{begin, commit}},
		"the end of the watch is lost": {append(append(slices.Clone(under),
			times(2, second, says(health.Healthy))...), health.Undone{}), []health.Action{begin, commit, end, end}},
		"a new attempt while it watches": {append(slices.Clone(under), moved), []health.Action{begin, commit, begin}},
		"held without a watch": {append(story{recorded, abrupt, ready, says(health.Healthy), health.Confirmed{}},
			times(2, second)...),
			[]health.Action{begin, commit, end}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, asked := playing(t, false, c.story); !slices.Equal(asked, c.want) {
				t.Errorf("got  %+v\nwant %+v", asked, c.want)
			}
		})
	}
}

// TestAnAttemptIsTakenUpAtOnce has a process go on with the attempt that the one before has counted.
func TestAnAttemptIsTakenUpAtOnce(t *testing.T) {
	_, asked := playing(t, true, []health.Event{ready})
	if !slices.Equal(asked, []health.Action{{Do: health.Begin}}) {
		t.Errorf("got %+v", asked)
	}
}

// TestWhatWasRevokedBeforeItWasTakenUp has an operator revoke something after the process before has counted the
// attempt: the one that takes it up knows of one revocation from the start, and does not blame the set.
func TestWhatWasRevokedBeforeItWasTakenUp(t *testing.T) {
	for _, c := range []struct {
		takesUp bool
		want    refusal.Reason
	}{{true, refusal.Revoked}, {false, refusal.ServiceExited}} {
		trial, asked := playing(t, c.takesUp, []health.Event{revoked, recorded, began, says(health.Exited)})
		if len(asked) != 2 || asked[1].Reason != c.want {
			t.Errorf("takes up %t: got %+v, want %s", c.takesUp, asked, c.want)
		}
		if before := trial.RevokedBefore(); (before == 0) != c.takesUp {
			t.Errorf("takes up %t: %d revocations came before", c.takesUp, before)
		}
	}
}

// TestWhenServicesMayStartAgain fixes from when on the end of a service is no verdict.
func TestWhenServicesMayStartAgain(t *testing.T) {
	sure := health.Began{Attempt: health.Attempt{Boot: boot, Policy: policy()}}
	for name, c := range map[string]struct {
		story []health.Event
		want  uint64
	}{
		"it gathers": {[]health.Event{recorded, began, ready, says(health.Starting)}, 0},
		"healthy, the vote is missing": {[]health.Event{recorded, began, voted(boot, health.NotCast),
			says(health.Healthy)}, boot},
		"failed on trial":              {[]health.Event{recorded, began, ready, says(health.Exited)}, 0},
		"failed, not on trial":         {[]health.Event{recorded, sure, ready, says(health.Exited)}, boot},
		"failed by time, not on trial": {append([]health.Event{recorded, sure, dead()}, times(3, second)...), 0},
		"and there is nothing to return": {append(append([]health.Event{recorded, sure, dead()}, times(3, second)...),
			health.Rejected{Stays: true}), boot},
		"committed": {[]health.Event{recorded, began, ready, says(health.Healthy),
			health.Confirmed{}}, boot},
	} {
		t.Run(name, func(t *testing.T) {
			if trial, _ := playing(t, false, c.story); trial.Settled() != c.want {
				t.Errorf("settled %d, want %d", trial.Settled(), c.want)
			}
		})
	}
}
