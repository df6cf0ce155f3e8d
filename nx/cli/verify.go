package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
)

// verifyVerb checks what is in the slots, and what is staged.
type verifyVerb struct{ appFlag }

// A slotCheck is what a check of one slot found; version is null for an empty slot, reason and detail are null for an
// intact one.
type slotCheck struct {
	Slot          string  `json:"slot"`
	SystemVersion *string `json:"systemVersion"`
	Intact        bool    `json:"intact"`
	Reason        *string `json:"reason"`
	Detail        *string `json:"detail"`
}

// Run verifies both slots, and the staged set. It fails after the output if one did not pass.
func (v *verifyVerb) Run(ctx context.Context, in *invocation) error {
	return v.with(ctx, in, "verify slots", "", func(m subject) error {
		checks, err := scrubSlots(ctx, m)
		if err != nil {
			return cannot("verify slots", "", err)
		}
		if err := in.answer(checks, func(w io.Writer) { printChecks(w, checks) }); err != nil {
			return err
		}
		for _, c := range checks {
			if !c.Intact {
				in.json = false // the answer says it already
				return cannot("verify", c.what(),
					refusal.New(refusal.Reason(*c.Reason), "%s", cmp.Or(*c.Detail, *c.Reason)))
			}
		}
		return nil
	})
}

func scrubSlots(ctx context.Context, m subject) ([]slotCheck, error) {
	recovery, done := m.recovery(ctx)
	defer done()
	answer, release := recovery.Scrub(ctx, nil)
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return nil, err
	}
	list, err := res.Slots()
	if err != nil {
		return nil, err
	}
	var r reader
	checks := []slotCheck{}
	for i := range r.Items(list.Len()) {
		checks = append(checks, r.slotCheck(list.At(i)))
	}
	return checks, r.Err
}

func (r *reader) slotCheck(m update.SlotCheck) slotCheck {
	reason := r.Text(m.Reason())
	check := slotCheck{Slot: slotName(m.Slot()), SystemVersion: orNull(r.Text(m.SystemVersion()), ""),
		Intact: reason == ""}
	if !check.Intact {
		detail := saidOnce("cannot verify "+check.what(), r.Text(m.Detail()))
		check.Reason, check.Detail = &reason, &detail
	}
	return check
}

// what was checked, for people.
func (c slotCheck) what() string {
	if c.Slot == "staged" {
		return "staged set"
	}
	return "slot " + c.Slot
}

func printChecks(w io.Writer, checks []slotCheck) {
	for _, c := range checks {
		switch {
		case c.SystemVersion == nil && c.Intact:
			fmt.Fprintf(w, "%s: empty\n", c.what())
		case c.Intact:
			fmt.Fprintf(w, "%s: %s is intact\n", c.what(), clean(*c.SystemVersion))
		default:
			fmt.Fprintf(w, "%s: %s is not: %s\n", c.what(), clean(orElse(c.SystemVersion, "its set")),
				clean(cmp.Or(*c.Detail, *c.Reason)))
		}
	}
}

func orElse(text *string, otherwise string) string {
	if text == nil {
		return otherwise
	}
	return *text
}
