package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"nexus/daemons/wire"
)

// stageVerb stages a set.
type stageVerb struct {
	File string `arg:"" placeholder:"FILE" help:"System set (.nxs)."`
}

// Run stages the file.
func (v *stageVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		set, err := s.upload(ctx, v.File, in.progress(v.File), s.toStage)
		if err != nil {
			return cannot("stage", v.File, err)
		}
		set.system.Release()
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "staged %s in slot %s: %s%s\n", clean(set.SystemVersion), set.Slot, count(len(set.Bundles), "bundle"), inPlace(set.ReusedBytes))
			fmt.Fprintln(w, "next: `nx switch` puts it on trial, `nx discard` drops it")
		})
	})
}

// inPlace tells how much was not written again.
func inPlace(reused uint64) string {
	if reused == 0 {
		return ""
	}
	return fmt.Sprintf(", %s in place already", humanize.IBytes(reused))
}

// switchVerb puts the staged set on trial.
type switchVerb struct{}

// Run switches to whatever is staged now. It does not wait for the verdict.
func (*switchVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		set, err := s.staged(ctx)
		if err != nil {
			return cannot("switch", "", err)
		}
		defer set.system.Release()
		if err := set.switchTo(ctx); err != nil {
			return cannot("switch to", set.SystemVersion, err)
		}
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "%s in slot %s is on trial\n", clean(set.SystemVersion), set.Slot)
			fmt.Fprintln(w, "next: the verdict comes by itself; `nx status` shows it")
		})
	})
}

// discardVerb drops the staged set.
type discardVerb struct{}

// Run discards whatever is staged now.
func (*discardVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		set, err := s.staged(ctx)
		if err != nil {
			return cannot("discard", "", err)
		}
		defer set.system.Release()
		if err := set.discard(ctx); err != nil {
			return cannot("discard", set.SystemVersion, err)
		}
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "discarded %s from slot %s\n", clean(set.SystemVersion), set.Slot)
		})
	})
}

// staged asks for the set that is staged now; the caller releases its system.
func (s *session) staged(ctx context.Context) (staged, error) {
	updated, err := s.updated(ctx)
	if err != nil {
		return staged{}, err
	}
	defer updated.Release()
	answer, release := updated.Staged(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return staged{}, err
	}
	if err := wire.Refused(res.Refusal()); err != nil {
		return staged{}, err
	}
	return describe(ctx, res.System())
}

// switchTo puts the set on trial.
func (s staged) switchTo(ctx context.Context) error {
	answer, release := s.system.Switch(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return wire.Refused(res.Refusal())
}

// discard empties the standby slot.
func (s staged) discard(ctx context.Context) error {
	answer, release := s.system.Discard(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return wire.Refused(res.Refusal())
}
