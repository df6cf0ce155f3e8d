package lint_test

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"nexus/schema/check/casetest"
	"nexus/schema/check/lint"
	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

var _ = flag.Bool("update", false,
	"compile the cases again and take what the check says as what it must say; read the difference")

const cases = "../testdata/lint"

// TestCases holds each rule to a schema that keeps it and breaks it, with the waivers of the case.
func TestCases(t *testing.T) {
	for _, c := range casetest.Load(t, cases) {
		t.Run(c.Name, func(t *testing.T) {
			waivers, err := report.ParseWaivers(c.Section("waivers"))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := only(c, lint.Check(c.Surface(t, "schema", surface.Options{}), waivers)).Write(&b,
				report.Text); err != nil {
				t.Fatal(err)
			}
			c.Want(t, "want", b.String())
		})
	}
}

// only keeps what a case is about: the rule it is named for. A case about waivers keeps all.
func only(c *casetest.Case, r *report.Report) *report.Report {
	if strings.HasPrefix(c.Name, "waiver") {
		return r
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f report.Finding) bool {
		return f.Rule != strings.ReplaceAll(c.Name,
			"_", "-")
	})
	return r
}

// TestEveryRuleHasACase wants each rule in what some case says.
func TestEveryRuleHasACase(t *testing.T) {
	all := casetest.Load(t, cases)
	rules := []string{lint.WaiverUnused}
	for _, r := range lint.Rules() {
		rules = append(rules, r.ID)
	}
	for _, rule := range rules {
		if !slices.ContainsFunc(all, func(c *casetest.Case) bool {
			return strings.Contains(c.Section("want"),
				": "+rule+": ")
		}) {
			t.Errorf("no case shows %s", rule)
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
