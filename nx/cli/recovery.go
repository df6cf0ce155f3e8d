package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// rollbackVerb returns to the set in the other slot.
type rollbackVerb struct {
	Timeout time.Duration `placeholder:"DUR" default:"10m" help:"How long to wait until the earlier set is healthy (default: 10m)."`
}

// Run rolls back and waits until what runs then is confirmed healthy.
func (v *rollbackVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		if err := rollBack(ctx, &s.facets); err != nil {
			return cannot("roll back", "", err)
		}
		var now state
		err := await(ctx, s, v.Timeout, func(seen state) (bool, error) {
			now = seen
			return seen.PendingSlot == nil && seen.HealthOK, nil
		})
		if err != nil {
			return cannot("roll back", "", err)
		}
		return in.answer(now, func(w io.Writer) { fmt.Fprintf(w, "rolled back: %s\n", clean(now.running())) })
	})
}

func rollBack(ctx context.Context, f *facets) error {
	recovery, done := f.recovery(ctx)
	defer done()
	answer, release := recovery.Rollback(ctx, nil)
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

// clearVerb removes a set from quarantine.
type clearVerb struct {
	Set string `arg:"" placeholder:"SET" help:"Digest of the set, a beginning of it, or its version, that only one has."`
}

// Run takes a set out of quarantine.
func (v *clearVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		now, err := readState(ctx, &s.facets)
		if err != nil {
			return cannot("clear", v.Set, err)
		}
		set, err := now.findQuarantined(v.Set)
		if err != nil {
			return cannot("clear", v.Set, err)
		}
		if err := clearQuarantine(ctx, &s.facets, set.IndexSHA256); err != nil {
			return cannot("clear", v.Set, err)
		}
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "cleared %s (%s): it may be staged again\n", clean(set.SystemVersion),
				short(set.IndexSHA256))
		})
	})
}

// meant reports whether a set has this version, or a digest that starts with this text.
func meant(name, digest, version string) bool {
	return name != "" && (name == version || strings.HasPrefix(digest, strings.ToLower(name)))
}

// findQuarantined returns the one quarantined set of that name.
func (s state) findQuarantined(name string) (quarantined, error) {
	var found []quarantined
	for _, q := range s.Quarantine {
		if meant(name, q.IndexSHA256, q.SystemVersion) {
			found = append(found, q)
		}
	}
	switch len(found) {
	case 0:
		return quarantined{}, refusal.New(refusal.NotQuarantined, "no quarantined set has this digest or version")
	case 1:
		return found[0], nil
	default:
		return quarantined{}, refusal.New(refusal.NotQuarantined,
			"%d quarantined sets have that version, or a digest that begins like that", len(found))
	}
}

func clearQuarantine(ctx context.Context, f *facets, digest string) error {
	raw, err := nxs.ParseDigest(digest)
	if err != nil {
		return err
	}
	recovery, done := f.recovery(ctx)
	defer done()
	answer, release := recovery.ClearQuarantine(ctx, func(p update.UpdateRecovery_clearQuarantine_Params) error {
		return p.SetIndexSha256(raw[:])
	})
	defer release()
	_, err = convert.Outcome(answer.Struct())
	return err
}
