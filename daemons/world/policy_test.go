package world_test

import (
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A program is the service of one bundle in a set.
type program struct {
	name, does string
	optional   bool
}

// asking returns a set with these services that requests its own health policy.
func asking(t *testing.T, version string, asks nxs.Health, programs ...program) []byte {
	t.Helper()
	key := updatestest.Key(1)
	var bundles []updatestest.Made
	for _, p := range programs {
		b := updatestest.Bundle(p.name, version, abilities(p.does), world.Program(p.does), key)
		b.Entry.Optional = p.optional
		bundles = append(bundles, b)
	}
	x := updatestest.Index(key, version, bundles...)
	x.Health = asks
	raw, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return updatestest.ArchiveOf(t, key, raw, bundles...)
}

// TestQuorum has sets with services that are not required for a commit.
func TestQuorum(t *testing.T) {
	good := program{name: "core", does: "serve 1.1.0"}
	well := program{name: "cloud", does: "serve 1.1.0", optional: true}
	ended := program{name: "ui", does: "exit 3", optional: true}
	slow := program{name: "maps", does: "start 1.1.0", optional: true}
	for _, c := range []struct {
		name     string
		quorum   int
		programs []program
		want     refusal.Reason // of the rollback; empty: the set is committed
	}{
		{"an optional one ends and none is needed", 0, []program{good, ended}, ""},
		{"one ends and the other is enough", 1, []program{good, ended, well}, ""},
		{"one never answers and the other is enough", 1, []program{good, slow, well}, ""},
		{"one ends and both are needed", 2, []program{good, ended, well}, refusal.QuorumLost},
		{"one never answers and is needed", 1, []program{good, slow}, refusal.HealthTimeout},
		{"a required one ends", 0, []program{{name: "core", does: "exit 3"}, well}, refusal.ServiceExited},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, o := started(t)
			update(t, o, asking(t, "1.1.0", nxs.Health{Quorum: c.quorum}, c.programs...))
			tries := 1
			if c.want != "" {
				tries = bootctl.DefaultTries
			}
			for _, p := range c.programs {
				if p.does == ended.does {
					// Before the clock runs: on a busy machine the clock may be wound faster than programs end.
					w.Await("execd: crash process=bundle:"+p.name+` exit="exit code 3"`, tries)
				}
			}
			s := o.AwaitState("the verdict", 50*time.Millisecond, func(s world.State) bool {
				return rolledBack(s) ||
					committed(bootctl.B)(s)
			})
			if s.Rollback != string(c.want) {
				t.Errorf("rolled back: %q, want %q", s.Rollback, c.want)
			}
		})
	}
}

// TestTheStricterDeadlineHolds winds the clock to just before and just after the deadline of the set or of the device,
// whichever is stricter.
func TestTheStricterDeadlineHolds(t *testing.T) {
	const device = 30 * time.Second
	for name, c := range map[string]struct{ asks, holds, not time.Duration }{
		"the set's is shorter":     {5 * time.Second, 5 * time.Second, device},
		"the device's is shorter":  {time.Hour, device, time.Hour},
		"the set leaves it to it":  {0, device, nxs.MaxDeadline},
		"the set's is the longest": {nxs.MaxDeadline, device, nxs.MaxDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := started(t)
			update(t, o, asking(t, "1.1.0", nxs.Health{Deadline: c.asks}, program{name: "core", does: "start 1.1.0"}))
			w.Await("bundlemgrd: slot b active", 1)
			began := w.Clock.Now()
			s := o.AwaitState("the rollback", 20*time.Millisecond, rolledBack)
			took := w.Clock.Now().Sub(began) // includes the winding while the daemons still communicate
			if took < c.holds-time.Second || took >= c.not || s.Rollback != string(refusal.HealthTimeout) {
				t.Errorf("after %v: %+v", took, s)
			}
		})
	}
}

// TestTheLongerWatchHolds has a service that crashes repeatedly some time after the commit, on a device that watches
// for a minute, with sets that ask for more and for less.
func TestTheLongerWatchHolds(t *testing.T) {
	for name, c := range map[string]struct{ asks, holds time.Duration }{
		"the set's is longer":    {5 * time.Minute, 5 * time.Minute},
		"the device's is longer": {time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := started(t)
			update(t, o, asking(t, "1.1.0", nxs.Health{Watch: c.asks}, program{name: "core", does: "serve 1.1.0"}))
			o.AwaitState("the watch", 0, watched)
			began := w.Clock.Now()
			s := o.AwaitState("the end of the watch", 200*time.Millisecond,
				func(s world.State) bool { return !s.Watched })
			if took := w.Clock.Now().Sub(began); took < c.holds-2*time.Second || s.Rollback != "" {
				t.Errorf("the watch ended after %v: %+v\n%s", took, s, w.Console())
			}
		})
	}
}

// TestAnOptionalCrashLoopUnderWatch has an optional service that crashes repeatedly after the commit.
func TestAnOptionalCrashLoopUnderWatch(t *testing.T) {
	good := program{name: "core", does: "serve 1.1.0"}
	tired := program{name: "ui", does: "tired 1.1.0", optional: true}
	t.Run("not needed", func(t *testing.T) {
		_, o := started(t)
		update(t, o, asking(t, "1.1.0", nxs.Health{}, good, tired))
		o.AwaitState("the watch", 0, watched)
		s := o.AwaitState("the end of the watch", 100*time.Millisecond, func(s world.State) bool { return !s.Watched })
		if s.Active != bootctl.B || s.Rollback != "" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("needed", func(t *testing.T) {
		_, o := started(t)
		update(t, o, asking(t, "1.1.0", nxs.Health{Quorum: 1}, good, tired))
		o.AwaitState("the watch", 0, watched)
		s := o.AwaitState("the rollback", 100*time.Millisecond, rolledBack)
		if s.Rollback != string(refusal.CrashLoop) {
			t.Errorf("got %+v", s)
		}
	})
}

// TestLateIsTooLate has a service that becomes healthy after the deadline, when its set has already been rolled back.
func TestLateIsTooLate(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "late 1.1.0"))
	s := o.AwaitState("the rollback", 200*time.Millisecond, rolledBack)
	if s.Active != bootctl.A || s.Rollback != string(refusal.HealthTimeout) || w.Shows("init: health ok (slot b)") {
		t.Errorf("got %+v", s)
	}
}

// TestFlappingSpendsTries has a service that crashes in the first try and works in the second. The crash decides the
// first try, because nothing is restarted within a try; the second is the last.
func TestFlappingSpendsTries(t *testing.T) {
	w, o := started(t)
	update(t, o, set(t, "1.1.0", "flaky 1.1.0"))
	s := o.AwaitState("the verdict", 50*time.Millisecond, func(s world.State) bool {
		return rolledBack(s) ||
			committed(bootctl.B)(s)
	})
	if s.Active != bootctl.B || s.Rollback != "" {
		t.Errorf("got %+v", s)
	}
	w.Await("updated: audit op=health slot=b version=1.1.0 result=failed reason=service-exited", 1)
}
