package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"nexus/libupdates/refusal"
)

// updateVerb stages a set, switches to it and waits for the verdict.
type updateVerb struct {
	File     string        `arg:"" placeholder:"FILE" help:"System set (.nxs) or delta (.nxdelta), - for standard input, or a set in a registry: oci://HOST[:PORT]/NAME:TAG."`
	Timeout  time.Duration `placeholder:"DUR" default:"10m" help:"How long to wait for the verdict (default: 10m)."`
	Downtime bool          `help:"Say how long each service was away."`

	Downgrade bool `help:"Update to a set that is older than the one that runs."`
	fullFlag
}

// Run exits 0 only after the commit.
func (v *updateVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		watched, err := in.watchServices(ctx, v.Downtime)
		if err != nil {
			return cannot("watch the services", "", err)
		}
		defer watched.stop()
		set, err := v.bring(ctx, in, s)
		if err != nil {
			return err
		}
		defer set.System.Release()
		if err := set.Switch(ctx); err != nil {
			return cannot("switch to", set.SystemVersion, err)
		}
		in.note("%s in slot %s is on trial", set.SystemVersion, set.Slot)
		if err := await(ctx, s, v.Timeout, set.verdict); err != nil {
			return cannot("update to", set.SystemVersion, unlessGoingOn(ctx, "the trial",
				"`NX status` shows the verdict, `NX rollback` ends the trial", namingServices(ctx, s, err)))
		}
		done := updated{set, watched.stop()}
		return in.answer(done, func(w io.Writer) {
			fmt.Fprintf(w, "updated to %s in slot %s, healthy\n", clean(set.SystemVersion), set.Slot)
			printDowntime(w, done.Downtime)
		})
	})
}

// bring stages the set. One from a file is switched to as soon as it is staged.
func (v *updateVerb) bring(ctx context.Context, in *invocation, s *session) (staged, error) {
	if inRegistry(v.File) {
		set, err := v.fetchToSwitch(ctx, s)
		return set, unlessDone("fetch", v.File, err)
	}
	file, err := in.openArchive(ctx, v.File)
	if err != nil {
		return staged{}, cannot("stage", v.File, err)
	}
	defer file.Close()
	if err := v.preflight(ctx, in, s, file); err != nil {
		return staged{}, cannot("stage", file.name, err)
	}
	set, err := v.stage(ctx, s, file, toUpdate(s))
	return set, unlessDone("stage", file.name, err)
}

// namingServices adds the services that are not healthy yet, of what the command is about, to the error of a timeout.
func namingServices(ctx context.Context, s *session, err error) error {
	refused, own := err.(*refusal.Error) // what the system itself said names them already
	if !own || refused.Reason != refusal.HealthTimeout {
		return err
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	services, askErr := serviceStates(ctx, &s.facets)
	if askErr != nil {
		return err
	}
	var waits []string
	for _, one := range services {
		if orElse(one.App, "") == s.in.app && one.State != healthyState {
			waits = append(waits, fmt.Sprintf("service %s %s is %s", one.Name, one.Version, one.State))
		}
	}
	if len(waits) == 0 {
		return err
	}
	return refusal.New(refused.Reason, "%s: %s", refused.Detail, strings.Join(waits, ", "))
}

// unlessGoingOn adds to the error of an interrupted wait that what was waited for continues.
func unlessGoingOn(ctx context.Context, what, hint string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &failure{text: "interrupted: " + what + " goes on", reason: refusal.Cancelled, hint: hint}
}

// An updated is the result of an update.
type updated struct {
	staged
	Downtime []away `json:"downtime,omitempty"` // where that was asked for
}

// verdict reports whether the trial of the set is over: committed, or rolled back, which is an error. It gets only
// states from after the switch, so a set that is not on trial any more has its verdict.
func (s staged) verdict(now state) (over bool, err error) {
	switch {
	case now.PendingSlot != nil && now.slot(*now.PendingSlot).holds(s.IndexSHA256):
		return false, nil
	case now.slot(now.ActiveSlot).holds(s.IndexSHA256):
		return now.HealthOK, nil
	case now.LastRollback != nil && now.LastRollback.IndexSHA256 == s.IndexSHA256:
		return true, rolled(now.LastRollback)
	default:
		return true, refusal.New(refusal.Superseded, "the trial ended and another set took its place")
	}
}

// A rollbackError reports that the set of an update was rolled back.
type rollbackError struct {
	error
	last *rolledBack
}

func (e *rollbackError) Unwrap() error { return e.error }

func rolled(r *rolledBack) error {
	return &rollbackError{refusal.New(refusal.Reason(r.Reason), "rolled back: %s", r.why()), r}
}

// note prints progress for people on stderr.
func (t *terminal) note(format string, args ...any) {
	if !t.json {
		fmt.Fprintln(t.host.Stderr, clean(fmt.Sprintf(format, args...)))
	}
}
