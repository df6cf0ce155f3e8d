package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"nexus/libupdates/refusal"
)

// updateVerb stages a set, switches to it and waits for the verdict.
type updateVerb struct {
	File     string        `arg:"" placeholder:"FILE" help:"System set (.nxs)."`
	Timeout  time.Duration `placeholder:"DUR" default:"10m" help:"How long to wait for the verdict (default: 10m)."`
	Downtime bool          `help:"Say how long each service was away."`

	Downgrade bool `help:"Update to a set that is older than the one that runs."`
}

// Run exits 0 only after the commit.
func (v *updateVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		if err := v.preflight(ctx, in, s); err != nil {
			return cannot("stage", v.File, err)
		}
		set, err := s.upload(ctx, v.File, in.progress(v.File), s.toSwitch)
		if err != nil {
			return cannot("stage", v.File, err)
		}
		defer set.system.Release()
		watched, err := in.watchServices(ctx, v.Downtime)
		if err != nil {
			return cannot("watch the services", "", err)
		}
		defer watched.stop()
		if err := set.switchTo(ctx); err != nil {
			return cannot("switch to", set.SystemVersion, err)
		}
		in.note("%s in slot %s is on trial", set.SystemVersion, set.Slot)
		if err := s.await(ctx, v.Timeout, set.verdict); err != nil {
			return cannot("update to", set.SystemVersion, err)
		}
		done := updated{set, watched.stop()}
		return in.answer(done, func(w io.Writer) {
			fmt.Fprintf(w, "updated to %s in slot %s, healthy\n", clean(set.SystemVersion), set.Slot)
			printDowntime(w, done.Downtime)
		})
	})
}

// An updated is what an update has led to.
type updated struct {
	staged
	Downtime []away `json:"downtime,omitempty"` // where that was asked for
}

// verdict looks whether the trial of the set is over: committed, or rolled back, which is an error. Every state it is
// shown is of a time after the switch, so a set that is no longer on trial has its verdict.
func (s staged) verdict(now state) (over bool, err error) {
	switch {
	case now.PendingSlot != nil && *now.PendingSlot == s.Slot:
		return false, nil
	case now.ActiveSlot == s.Slot && now.slot(s.Slot).holds(s.IndexSHA256):
		return now.HealthOK, nil
	case now.LastRollback != nil && now.LastRollback.IndexSHA256 == s.IndexSHA256:
		return true, refusal.New(refusal.Reason(now.LastRollback.Reason), "rolled back: %s", now.LastRollback.why())
	default:
		return true, refusal.New(refusal.Superseded, "the trial ended and another set took its place")
	}
}

// note tells people how it goes, on stderr.
func (in *invocation) note(format string, args ...any) {
	if !in.json {
		fmt.Fprintln(in.host.Stderr, clean(fmt.Sprintf(format, args...)))
	}
}
