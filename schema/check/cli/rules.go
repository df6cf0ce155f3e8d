package cli

import (
	"fmt"

	"nexus/schema/check/compat"
	"nexus/schema/check/lint"
	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

// rulesVerb lists the rules.
type rulesVerb struct{}

// Run prints the tables of docs/schema-check.md.
func (v *rulesVerb) Run(io *streams) error {
	fmt.Fprint(io.out, "| lint rule | wants | why |\n|---|---|---|\n")
	for _, r := range lint.Rules() {
		fmt.Fprintf(io.out, "| `%s` | %s | %s |\n", r.ID, report.Cell(r.Wants), report.Cell(r.Why))
	}
	fmt.Fprintf(io.out, "| `%s` | every waiver matches a finding | a fixed finding needs no waiver |\n",
		lint.WaiverUnused)
	fmt.Fprint(io.out,
		"\n| change | effect | blessed | lockstep | what happened | what follows |\n|---|---|---|---|---|---|\n")
	for _, r := range compat.Rules() {
		fmt.Fprintf(io.out, "| `%s` | %s | %s | %s | %s | %s |\n", r.ID, r.Effect,
			compat.Judge(r.Effect, surface.Blessed), compat.Judge(r.Effect, surface.Lockstep), report.Cell(r.What),
			report.Cell(r.Why))
	}
	return nil
}
