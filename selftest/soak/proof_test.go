package soak

import (
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// Sets that runs are made up of.
func someSets() (was, next, broken *oracle.Set) {
	return &oracle.Set{Name: "was", Digest: "aaa", Fate: oracle.Good},
		&oracle.Set{Name: "next", Digest: "bbb", Fate: oracle.Good},
		&oracle.Set{Name: "broken", Digest: "ccc", Fate: oracle.Broken, Reason: refusal.ServiceExited}
}

// stateOf is a quiet state: set a is confirmed in slot a, b is in the other.
func stateOf(boot uint64, a, b string) oracle.State {
	s := oracle.State{ActiveSlot: "a", HealthOK: true, Boot: boot}
	s.Slots.A.IndexSHA256, s.Slots.B.IndexSHA256 = &a, &b
	return s
}

// TestJudgeRefusesBrokenPromises breaks one promise at a time in a cycle that went well.
func TestJudgeRefusesBrokenPromises(t *testing.T) {
	was, next, broken := someSets()
	for _, c := range []struct {
		name  string
		spoil func(r *Run)
		want  string // empty: nothing is wrong
	}{
		{"nothing", func(*Run) {}, ""},
		{"nothing, committed", func(r *Run) { r.After.ActiveSlot = "b" }, ""},
		{"another set is active", func(r *Run) { *r.After.Slots.A.IndexSHA256 = "ddd" },
			"which was neither confirmed nor brought"},
		{"the broken set is active", func(r *Run) { r.Set = broken; *r.After.Slots.A.IndexSHA256 = "ccc" },
			"which was neither confirmed nor brought"},
		{"an announced commit is gone", func(r *Run) { r.Lines = []string{"init: health ok (slot b)"} },
			"and slot a is active"},
		{"the boot number falls", func(r *Run) { r.After.Boot = 4 }, "the boot number went from 5 to 4"},
		{"too many starts", func(r *Run) { r.After.Boot = 5 + maxBoots + 1 }, "the boot number went from 5"},
		{"it fell with the record in memory", func(r *Run) { r.Target = Everything; r.After.Boot = 1 }, ""},
		{"it fell with a record that is kept",
			func(r *Run) { r.Target = Everything; r.After.Boot = 1; r.After.Persistent = true }, "from 5 to 1"},
		{"quarantine forgotten", func(r *Run) {
			r.Before.Quarantine = []oracle.Quarantined{{IndexSHA256: "ccc", Reason: refusal.ServiceExited}}
		}, "is no longer in quarantine"},
		{"quarantine forgotten over a restart", func(r *Run) {
			r.Target = Init
			r.Before.Quarantine = []oracle.Quarantined{{IndexSHA256: "ccc", Reason: refusal.ServiceExited}}
		}, ""},
		{"a good set rolled back for nothing", func(r *Run) { rolledBack(r, "bbb", refusal.ServiceExited) },
			"without a cause"},
		{"a good set rolled back for its killed service",
			func(r *Run) { r.Target = Service; rolledBack(r, "bbb", refusal.ServiceExited) }, ""},
		{"a set rolled back that nobody brought", func(r *Run) {
			r.Target = Service
			rolledBack(r, "ddd",
				refusal.ServiceExited)
		}, "without a cause"},
		{"a commit left for a crash loop", func(r *Run) {
			r.Kills, r.Lines = 3, []string{"init: health ok (slot b)"}
			rolledBack(r, "bbb", refusal.CrashLoop)
		}, ""},
		{"a commit left for a crash loop of nobody", func(r *Run) { rolledBack(r, "bbb", refusal.CrashLoop) },
			"without a cause"},
		{"a rollback that is not told of", func(r *Run) {
			r.Set = broken
			rolledBack(r, "ccc", refusal.ServiceExited)
			r.After.LastRollback = nil
		}, "and the last rollback is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Run{Cycle: Cycle{Flow: Switch, Target: Daemon}, Set: next, Hit: "logd",
				Before: stateOf(5, was.Digest, next.Digest), After: stateOf(5, was.Digest, next.Digest)}
			c.spoil(r)
			err := (&Soak{}).judge(r)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func rolledBack(r *Run, digest string, reason refusal.Reason) {
	r.After.Quarantine = append(r.After.Quarantine, oracle.Quarantined{IndexSHA256: digest, Reason: reason})
	r.After.LastRollback = &oracle.RolledBack{Reason: reason, IndexSHA256: digest}
}

// TestJournal finds what no journal may say.
func TestJournal(t *testing.T) {
	if found := wrongJournal([]oracle.Record{{Sequence: 1, Sender: "updated"}, {Sequence: 1}}); len(found) != 2 {
		t.Errorf("found %v, want a record without sender and one out of order", found)
	}
}

// TestGrowth refuses processes that take more and more, each measured against its own beginning.
func TestGrowth(t *testing.T) {
	g := Growth{}
	for _, c := range []struct {
		key  string
		now  Size
		want string
	}{
		{"1", Size{20, 8 << 20}, ""},
		{"1", Size{20 + moreFDs, 8<<20 + moreRSS}, ""},
		{"1", Size{21 + moreFDs, 8 << 20}, "descriptors"},
		{"1", Size{20, 9<<20 + moreRSS}, "of memory"},
		{"2", Size{21 + moreFDs, 9<<20 + moreRSS}, ""},
	} {
		err := g.note(c.key, "logd", c.now)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.now, err, c.want)
		}
	}
}

// TestExplain wants a failure to show steps, console and folder.
func TestExplain(t *testing.T) {
	s := &Soak{host: &kit.Host{NX: kit.NX{Bin: t.TempDir(), Dir: "/where/it/is"}}}
	link(t, "/bin/echo", filepath.Join(s.host.Bin, "nx"))
	kit.Must(t, s.host.Up("the console"))
	kit.Must(t, s.host.Gone())
	for range keptSteps + 1 {
		s.step("a step")
	}
	var out strings.Builder
	s.explain(&out)
	for _, want := range []string{"the console", "/where/it/is"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "a step"); n != keptSteps {
		t.Errorf("it shows %d steps, want %d", n, keptSteps)
	}
}

// TestFlat wants a process that leaks a descriptor or a page at every look to be found, and one that takes up something
// early not to be.
func TestFlat(t *testing.T) {
	for _, c := range []struct {
		name string
		size func(look int) Size
		want string
	}{
		{"level", func(look int) Size { return Size{40 + min(look, 5), 10<<20 + int64(min(look, window))<<16} }, ""},
		{"descriptors", func(look int) Size { return Size{40 + look/50, 10 << 20} }, "initd grows"},
		{"memory", func(look int) Size { return Size{40, 10<<20 + int64(look)<<14} }, "initd grows"},
	} {
		g := Growth{}
		for look := range 4 * window {
			kit.Must(t, g.note("1", "initd", c.size(look)))
		}
		if err := g.flat("initd"); (err == nil) != (c.want == "") || err != nil &&
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestWhatTheActiveSetLeadsTo wants a cycle that brings the set that runs already to end with its first verb.
func TestWhatTheActiveSetLeadsTo(t *testing.T) {
	was, next, _ := someSets()
	for _, flow := range []Flow{Update, Switch, Stage, Discard} {
		r := &Run{Cycle: Cycle{Flow: flow}, Set: was, Before: stateOf(5, was.Digest, next.Digest)}
		want := r.want()
		if want.verbs != 1 || want.exit != 1 || want.reason != refusal.AlreadyActive || want.standby != next.Digest {
			t.Errorf("%v of the active set: want %+v", flow, want)
		}
		if len(want.steps) != 1 || want.steps[0] != "stage refused" {
			t.Errorf("%v of the active set leaves the steps %v", flow, want.steps)
		}
	}
}
