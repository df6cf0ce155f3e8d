package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"nexus/capnpgen/bundle"
	rpc "nexus/capnpgen/powers"
	"nexus/daemons/convert"
	"nexus/libupdates/policy"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// policyVerb is about what the device grants to bundles.
type policyVerb struct {
	Show policyShowVerb `cmd:"" default:"1" help:"Show the policy."`
	Set  policySetVerb  `cmd:"" help:"Replace the policy with a file."`
}

// policyShowVerb shows the policy.
type policyShowVerb struct{}

// A shownPolicy is the policy as it was set.
type shownPolicy struct {
	Text     string   `json:"text"`
	Warnings []string `json:"warnings"`
}

// Run asks for the policy and shows it.
func (*policyShowVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		p, err := readPolicy(ctx, &s.facets)
		if err != nil {
			return cannot("show policy", "", err)
		}
		in.warn(p.Warnings)
		return in.answer(p, func(w io.Writer) {
			if p.Text == "" {
				fmt.Fprintln(w, "no policy is set, so no bundle has any power")
				return
			}
			io.WriteString(w, cleanLines(p.Text))
		})
	})
}

// warn says what is odd about a policy, on standard error.
func (t *terminal) warn(warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(t.host.Stderr, "note: %s\n", clean(warning))
	}
}

// policySetVerb replaces the policy.
type policySetVerb struct {
	File string `arg:"" placeholder:"FILE" help:"The new policy. An empty file removes the policy."`
}

// A policyChange is the answer to a new policy.
type policyChange struct {
	Kept     bool     `json:"kept"` // over the next start
	Warnings []string `json:"warnings"`
}

// Run has the policy count from now on.
func (v *policySetVerb) Run(ctx context.Context, in *invocation) error {
	text, err := readPolicyFile(v.File)
	if err != nil {
		return cannot("set policy", v.File, plain(err))
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		change, err := setPolicy(ctx, &s.facets, text)
		if err != nil {
			return cannot("set policy", v.File, err)
		}
		in.warn(change.Warnings)
		return in.answer(change, func(w io.Writer) {
			until := ""
			if !change.Kept {
				until = ", until the machine starts again"
			}
			if text == "" {
				fmt.Fprintf(w, "the policy is removed%s: what is staged and started from now on gets no power\n", until)
				return
			}
			fmt.Fprintf(w, "the policy is set%s: it counts for what is staged and started from now on\n", until)
		})
	})
}

// readPolicyFile reads at most one byte more than a policy may have: what is too long is refused like everything else
// that is wrong with it.
func readPolicyFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, policy.MaxText+1))
	return string(text), err
}

// explainVerb shows what a bundle asked for, and what it got.
type explainVerb struct {
	Bundle string `arg:"" help:"The bundle."`
}

// A grantOfPower is what was decided on one power.
type grantOfPower struct {
	Power   string `json:"power"`
	Granted bool   `json:"granted"`
	Line    int    `json:"line,omitempty"` // of the rule that grants it
	Detail  string `json:"detail,omitempty"`
	Note    string `json:"note,omitempty"` // what this machine cannot bound
}

// Run asks for the decision on the published set.
func (v *explainVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		grants, err := explainPowers(ctx, &s.facets, v.Bundle)
		if err != nil {
			return cannot("explain", v.Bundle, err)
		}
		return in.answer(grants, func(w io.Writer) {
			if len(grants) == 0 {
				fmt.Fprintf(w, "%s asks for no power\n", v.Bundle)
				return
			}
			rows := [][]string{{"POWER", "GRANTED", "WHY"}}
			for _, g := range grants {
				granted, why := "yes", fmt.Sprintf("by the rule at line %d of the policy", g.Line)
				if g.Note != "" {
					why += "; " + g.Note
				}
				if !g.Granted {
					granted, why = "no", g.Detail
				}
				rows = append(rows, []string{g.Power, granted, why})
			}
			table(w, rows)
		})
	})
}

func readPolicy(ctx context.Context, f *facets) (p shownPolicy, err error) {
	judge, done := f.judge(ctx)
	defer done()
	answer, release := judge.Policy(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return p, err
	}
	var r reader
	p = shownPolicy{r.Text(res.Text()), r.Texts(res.Warnings())}
	return p, r.Err
}

func setPolicy(ctx context.Context, f *facets, text string) (c policyChange, err error) {
	editor, done := f.policyEditor(ctx)
	defer done()
	answer, release := editor.Set(ctx, func(p rpc.PolicyEditor_set_Params) error { return p.SetText(text) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return c, err
	}
	if err := convert.Refused(res.Refusal()); err != nil {
		return c, err
	}
	var r reader
	c = policyChange{res.Kept(), r.Texts(res.Warnings())}
	return c, r.Err
}

// explainPowers asks what a published bundle gets, as one of the set that is published.
func explainPowers(ctx context.Context, f *facets, name string) ([]grantOfPower, error) {
	publisher, set, err := askingSet(ctx, f, name)
	if err != nil {
		return nil, err
	}
	judge, done := f.judge(ctx)
	defer done()
	all, _, err := convert.Judge(ctx, judge, publisher, set, false)
	if err != nil {
		return nil, err
	}
	grants := []grantOfPower{}
	for _, d := range all {
		if d.Bundle == name {
			grants = append(grants, grantOfPower{d.Power, d.Granted(), d.Line, d.Why, d.Note})
		}
	}
	return grants, nil
}

// askingSet is who signed the published set that has the named bundle, of the system or of apps, and what the bundles
// of that set ask for.
func askingSet(ctx context.Context, f *facets, name string) (key trust.PublicKey, set []policy.Asking, err error) {
	manager, done := f.bundles(ctx)
	defer done()
	listed, done := manager.List(ctx, nil)
	defer done()
	list, err := listed.Struct()
	if err != nil {
		return key, nil, err
	}
	p, err := list.Publication()
	if err != nil {
		return key, nil, err
	}
	apps, err := p.Apps()
	if err != nil {
		return key, nil, err
	}
	var r reader
	key, set, err = askingOf(p, name)
	for i := range r.Items(apps.Len()) {
		if refusal.Of(err) == refusal.UnknownBundle { // no name occurs twice in all of them
			key, set, err = askingOf(apps.At(i), name)
		}
	}
	if r.Err != nil {
		err = r.Err
	}
	return key, set, err
}

func askingOf(p bundle.Publication, name string) (key trust.PublicKey, set []policy.Asking, err error) {
	publisher, err := p.Publisher()
	if err != nil {
		return key, nil, err
	}
	copy(key[:], publisher)
	bundles, err := p.Bundles()
	if err != nil {
		return key, nil, err
	}
	var r reader
	found := false
	for i := range r.Items(bundles.Len()) {
		asking := policy.Asking{Bundle: r.Text(bundles.At(i).Name())}
		asking.Powers = powers.Among(r.Texts(bundles.At(i).Capabilities()))
		found = found || asking.Bundle == name
		set = append(set, asking)
	}
	if r.Err == nil && !found {
		r.Err = refusal.New(refusal.UnknownBundle, "no published bundle has this name")
	}
	return key, set, r.Err
}
