package nxspack

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
)

// explainVerb shows what the bundles of a set get on a device.
type explainVerb struct {
	Policy    string `required:"" placeholder:"FILE" help:"The policy of the device."`
	FirstPort uint16 `placeholder:"PORT" default:"1" help:"The lowest port that the system may open on the device: 1 as root, else 1024 as a rule (default: 1)."`
	File      string `arg:"" help:"The set."`
}

// Run decides as a device does. Whether it trusts the publisher is not checked.
func (v *explainVerb) Run(ctx context.Context, c *command) error {
	rules, err := readPolicy(v.Policy)
	if err != nil {
		return cannot("use", v.Policy, err)
	}
	found, _, err := inspect(ctx, v.File)
	if err != nil {
		return cannot("explain", v.File, err)
	}
	warnings := rules.Warnings()
	for _, warning := range warnings {
		fmt.Fprintf(c.stderr, "note: %s: %s\n", show(v.Policy), warning)
	}
	all := rules.Decide(policy.Machine{FirstPort: v.FirstPort}, found.Index.Publisher, nxs.Asking(found.Index))
	return c.answer(explanationOf(all, warnings), explanationText(all))
}

// readPolicy reads the policy of a device.
func readPolicy(name string) (policy.Policy, error) {
	f, err := os.Open(name)
	if err != nil {
		return policy.Policy{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, policy.MaxText+1))
	if err != nil {
		return policy.Policy{}, err
	}
	return policy.Parse(text)
}

// An explanation is the JSON answer.
type explanation struct {
	Powers []powerDecision `json:"powers"`
	// Reason is why a device with the policy refuses the set; empty: it does not.
	Reason refusal.Reason `json:"reason,omitempty"`
	noted
}

type powerDecision struct {
	Bundle  string `json:"bundle"`
	Power   string `json:"power"`
	Granted bool   `json:"granted"`
	Line    int    `json:"line,omitempty"` // of the rule that grants it
	Detail  string `json:"detail,omitempty"`
}

func explanationOf(all []policy.Decision, warnings []string) explanation {
	e := explanation{Powers: []powerDecision{}, Reason: refusal.Of(policy.Refuse(all)), noted: noted{warnings}}
	for _, d := range all {
		e.Powers = append(e.Powers, powerDecision{d.Bundle, d.Power, d.Granted(), d.Line, d.Why})
	}
	return e
}

func explanationText(all []policy.Decision) string {
	if len(all) == 0 {
		return "no bundle of this set asks for a power\n"
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BUNDLE\tPOWER\tGRANTED\tWHY")
	for _, d := range all {
		granted, why := "yes", fmt.Sprintf("by the rule at line %d", d.Line)
		if !d.Granted() {
			granted, why = "no", d.Why
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Bundle, show(d.Power), granted, why)
	}
	w.Flush()
	if err := policy.Refuse(all); err != nil {
		fmt.Fprintf(&text, "a device with this policy refuses this set: %s\n", refusal.Of(err))
	}
	return text.String()
}
