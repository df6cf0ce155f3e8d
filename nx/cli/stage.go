package cli

import (
	"context"
	"fmt"
	"io"

	"capnproto.org/go/capnp/v3/exc"
	"github.com/dustin/go-humanize"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/updateclient"
	"nexus/libupdates/refusal"
)

// stageVerb stages a set.
type stageVerb struct {
	File string `arg:"" placeholder:"FILE" help:"System set (.nxs) or delta (.nxdelta), - for standard input, or a set in a registry: oci://HOST[:PORT]/NAME:TAG."`
	fullFlag
}

// Run stages the file.
func (v *stageVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		set, err := v.bring(ctx, in, s)
		if err != nil {
			return err
		}
		set.System.Release()
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "staged %s for slot %s: %s%s\n", clean(set.SystemVersion), set.Slot,
				count(len(set.Bundles), "bundle"), inPlace(set.ReusedBytes)+byPatches(set.PatchedBytes))
			fmt.Fprintln(w, "next: `nx switch` puts it on trial, `nx discard` drops it")
		})
	})
}

// bring stages the set.
func (v *stageVerb) bring(ctx context.Context, in *invocation, s *session) (staged, error) {
	if inRegistry(v.File) {
		set, err := v.fetch(ctx, s, v.File)
		return set, unlessDone("fetch", v.File, err)
	}
	file, err := in.openArchive(ctx, v.File)
	if err != nil {
		return staged{}, cannot("stage", v.File, err)
	}
	defer file.Close()
	set, err := v.stage(ctx, s, file, toStage(s))
	return set, unlessDone("stage", file.name, err)
}

// inPlace says how much was reused.
func inPlace(reused uint64) string {
	if reused == 0 {
		return ""
	}
	return fmt.Sprintf(", %s in place already", humanize.IBytes(reused))
}

// byPatches says how much was made by patches.
func byPatches(patched uint64) string {
	if patched == 0 {
		return ""
	}
	return fmt.Sprintf(", %s made by patches", humanize.IBytes(patched))
}

// switchVerb puts the staged set on trial.
type switchVerb struct {
	Set string `arg:"" optional:"" placeholder:"SET" help:"Only if this is the staged set: its version, or a prefix of its digest."`
}

// Run switches to what is staged now. It does not wait for the verdict.
func (v *switchVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		updated, done := s.updated(ctx)
		defer done()
		set, err := stagedAs(ctx, updated, v.Set)
		if err != nil {
			return cannot("switch", "", err)
		}
		defer set.System.Release()
		if err := set.Switch(ctx); err != nil {
			return cannot("switch to", set.SystemVersion, err)
		}
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "%s in slot %s is on trial\n", clean(set.SystemVersion), set.Slot)
			fmt.Fprintln(w, "next: the verdict comes by itself; `nx status` shows it")
		})
	})
}

// discardVerb discards the staged set, or ends the stage in progress.
type discardVerb struct {
	Set string `arg:"" optional:"" placeholder:"SET" help:"Only if this is the staged set: its version, or a prefix of its digest."`
	appFlag
}

// endedStage is the result if a stage was in progress.
type endedStage struct {
	EndedStage bool `json:"endedStage"`
}

// Run ends the stage in progress, whoever started it. If there is none, or a set is named, it discards the staged set.
func (v *discardVerb) Run(ctx context.Context, in *invocation) error {
	return v.with(ctx, in, "discard", v.App, func(m subject) error {
		if v.Set == "" {
			ended, err := endStage(ctx, m)
			if err != nil {
				return cannot("discard", v.App, err)
			}
			if ended {
				return in.answer(endedStage{true}, func(w io.Writer) { fmt.Fprintln(w, "ended the stage under way") })
			}
		}
		updated, done := m.updated(ctx)
		defer done()
		set, err := stagedAs(ctx, updated, v.Set)
		if err != nil {
			return cannot("discard", v.App, in.nothingToDiscard(err))
		}
		defer set.System.Release()
		if err := set.Discard(ctx); err != nil {
			return cannot("discard", set.SystemVersion, err)
		}
		return in.answer(set, func(w io.Writer) {
			fmt.Fprintf(w, "discarded %s\n", clean(set.SystemVersion))
		})
	})
}

// nothingToDiscard replaces the advice to stage a set, which is for who wants to switch to one.
func (in *invocation) nothingToDiscard(err error) error {
	refused := convert.Excepted(err)
	if refusal.Of(refused) != refusal.NothingStaged {
		return err
	}
	hint := "`NX status` shows what is staged"
	if in.app != "" {
		hint = "`NX apps` shows what is staged"
	}
	return &failure{text: refusal.DetailOf(refused), reason: refusal.NothingStaged, hint: hint}
}

// endStage ends the stage in progress and reports whether there was one. Older systems cannot do that.
func endStage(ctx context.Context, m subject) (ended bool, err error) {
	recovery, done := m.recovery(ctx)
	defer done()
	answer, release := recovery.EndStage(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if exc.IsType(err, exc.Unimplemented) {
		return false, nil
	}
	return err == nil && res.Ended(), err
}

// stagedAs is staged, but fails if another set than the named one is staged.
func stagedAs(ctx context.Context, updated update.Updated, name string) (staged, error) {
	set, err := stagedSet(ctx, updated)
	if err == nil && name != "" && !meant(name, set.IndexSHA256, set.SystemVersion) {
		set.System.Release()
		return staged{}, refusal.New(refusal.NothingStaged, "%s is not staged: %s (%s) is", name, set.SystemVersion,
			short(set.IndexSHA256))
	}
	return set, err
}

// stagedSet returns the set that is staged now. The caller releases its system.
func stagedSet(ctx context.Context, updated update.Updated) (staged, error) {
	return stagedOf(updateclient.Staged(ctx, updated))
}
