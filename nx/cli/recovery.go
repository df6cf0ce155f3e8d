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
	appFlag
	Timeout time.Duration `placeholder:"DUR" default:"10m" help:"How long to wait until the earlier set is healthy (default: 10m)."`
}

// Run rolls back and waits until what runs then is confirmed healthy.
func (v *rollbackVerb) Run(ctx context.Context, in *invocation) error {
	return v.with(ctx, in, "roll back", v.App, func(m subject) error {
		if err := rollBack(ctx, m); err != nil {
			return cannot("roll back", v.App, err)
		}
		now, err := m.awaitReturn(ctx, v.Timeout)
		if err != nil {
			return cannot("roll back", v.App, err)
		}
		var value any = now
		if v.App != "" {
			value = packageOf(v.App, now)
		}
		return in.answer(value, func(w io.Writer) {
			fmt.Fprintf(w, "%s: %s\n", strings.TrimSpace("rolled back "+v.App), clean(now.running()))
		})
	})
}

func rollBack(ctx context.Context, m subject) error {
	recovery, done := m.recovery(ctx)
	defer done()
	answer, release := recovery.Rollback(ctx, nil)
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

// awaitReturn waits until what runs after a rollback is confirmed healthy. An app may have nothing to run then.
func (m subject) awaitReturn(ctx context.Context, patience time.Duration) (now state, err error) {
	err = awaitOf(ctx, m.session, m.status, patience, func(seen state) (bool, error) {
		now = seen
		gone := m.app != nil && now.slot(now.ActiveSlot).SystemVersion == nil
		return now.PendingSlot == nil && (now.HealthOK || gone), nil
	})
	switch {
	case err == nil:
		return now, nil
	case refusal.Of(err) == refusal.HealthTimeout:
		err = refusal.New(refusal.HealthTimeout, "the earlier set runs, but is not healthy: %s",
			refusal.DetailOf(namingServices(ctx, m.session, err)))
	}
	return now, unlessGoingOn(ctx, "the rollback", "`NX services` shows how the services are", err)
}

// clearVerb removes a set from quarantine.
type clearVerb struct {
	Set string `arg:"" placeholder:"SET" help:"Digest of the set, a prefix of it, or its version; only one set may match."`
	appFlag
}

// Run takes a set out of quarantine.
func (v *clearVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return v.with(ctx, in, "clear", v.Set, func(m subject) error {
		now, err := m.state(ctx)
		if err != nil {
			return cannot("clear", v.Set, err)
		}
		set, err := now.findQuarantined(v.Set)
		if err != nil {
			return cannot("clear", v.Set, err)
		}
		if err := clearQuarantine(ctx, m, set.IndexSHA256); err != nil {
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

func clearQuarantine(ctx context.Context, m subject, digest string) error {
	raw, err := nxs.ParseDigest(digest)
	if err != nil {
		return err
	}
	recovery, done := m.recovery(ctx)
	defer done()
	answer, release := recovery.ClearQuarantine(ctx, func(p update.UpdateRecovery_clearQuarantine_Params) error {
		return p.SetIndexSha256(raw[:])
	})
	defer release()
	_, err = convert.Outcome(answer.Struct())
	return err
}
