package compat_test

import (
	"flag"
	"strings"
	"testing"

	"nexus/schema/check/casetest"
	"nexus/schema/check/compat"
	"nexus/schema/check/lock"
	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

var _ = flag.Bool("update", false,
	"compile the cases again and take what the check says as what it must say; read the difference")

const cases = "../testdata/compat"

// TestCases holds each kind of change, in both classes, to what the tool must say; and what it says of two locks to
// what it says of the schemas, so that the lock holds all that is judged.
func TestCases(t *testing.T) {
	for _, c := range casetest.Load(t, cases) {
		t.Run(c.Name, func(t *testing.T) {
			for _, class := range []surface.Class{surface.Blessed, surface.Lockstep} {
				opts := surface.Options{Default: class}
				old, new := c.Surface(t, "old", opts), c.Surface(t, "new", opts)
				got := text(t, compat.Compare(old, new))
				c.Want(t, string(class), got)
				if locked := text(t, compat.Compare(relock(t, old), relock(t, new))); locked != got {
					t.Errorf("of the locks it says\n%s\nof the schemas\n%s", locked, got)
				}
			}
		})
	}
}

// TestNothingChanged compares each schema with itself.
func TestNothingChanged(t *testing.T) {
	for _, c := range casetest.Load(t, cases) {
		for _, side := range []string{"old", "new"} {
			s := c.Surface(t, side, surface.Options{})
			if r := compat.Compare(s, s); len(r.Findings) > 0 {
				t.Errorf("%s: %s against itself: %v", c.Name, side, r.Findings)
			}
		}
	}
}

// TestEveryRuleHasACase wants each rule in what some case says, in both classes.
func TestEveryRuleHasACase(t *testing.T) {
	all := casetest.Load(t, cases)
	for _, rule := range compat.Rules() {
		for _, class := range []surface.Class{surface.Blessed, surface.Lockstep} {
			found := false
			for _, c := range all {
				for line := range strings.Lines(c.Section(string(class))) {
					found = found || strings.Contains(line, ": "+rule.ID+": ")
				}
			}
			if !found {
				t.Errorf("no case shows %s of what is %s", rule.ID, class)
			}
		}
	}
}

// TestRequestsAreCurrent compiles the cases' schemas anew, where the compiler is installed.
func TestRequestsAreCurrent(t *testing.T) {
	casetest.NeedCompiler(t)
	for _, c := range casetest.Load(t, cases) {
		c.CheckCurrent(t)
	}
}

func relock(t *testing.T, s *surface.Surface) *surface.Surface {
	t.Helper()
	again, err := lock.Parse(lock.Format(s))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func text(t *testing.T, r *report.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b, report.Text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
