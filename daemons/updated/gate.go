package updated

import (
	"context"
	"errors"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/update"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// A gateServer is the HealthGate: the power to count attempts and to commit.
type gateServer struct {
	trial     *updater.Trial
	installed func() []updater.Installed
	apps      func() error // notes the end of the boot in the records of apps; nil: it is that of an app
}

// BootAttempt counts an attempt, and only then lets its slot run, or the core that has to take over for it.
func (g *gateServer) BootAttempt(ctx context.Context, call update.HealthGate_bootAttempt) error {
	call.Go()
	attempt, refused, err := g.trial.BootAttempt(ctx, call.Args().Begun())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	a, err := res.NewAttempt()
	if err != nil {
		return err
	}
	a.SetBoot(attempt.Boot)
	a.SetSlot(convert.Slot(attempt.Slot))
	a.SetTrial(attempt.Trial)
	a.SetTriesLeft(attempt.TriesLeft)
	a.SetWatched(attempt.Watched)
	a.SetAbruptEnds(attempt.AbruptEnds)
	a.SetDeadlineMs(uint32(attempt.Health.Deadline / time.Millisecond))
	a.SetWatchMs(uint32(attempt.Health.Watch / time.Millisecond))
	if err := a.SetIndexSha256(convert.Digest(attempt.Set)); err != nil {
		return err
	}
	if refused != nil {
		return convert.Refuse(a.NewRefusal, refused)
	}
	a.SetHandOver(wireHandOver(attempt.HandOver))
	return nil
}

// Core hands out what the first process needs to hand over to the core of the current attempt: it verifies that by
// itself.
func (g *gateServer) Core(_ context.Context, call update.HealthGate_core) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	core, err := g.trial.OpenCore()
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	blob := bundle.Blob_ServerToClient(&blob.Blob{File: core.Payload, Digest: core.Entry.PayloadSHA256})
	return errors.Join(res.SetPayload(blob), res.SetIndex(core.Index), res.SetSignature(core.Signature))
}

// Suspect checks the slot that runs.
func (g *gateServer) Suspect(ctx context.Context, call update.HealthGate_suspect) error {
	call.Go()
	return g.trial.Suspect(ctx, call.Args().Boot())
}

// HealthOk commits the current attempt.
func (g *gateServer) HealthOk(_ context.Context, call update.HealthGate_healthOk) error {
	call.Go()
	watched, err := g.trial.Commit(call.Args().Boot(), call.Args().Watch())
	res, allocErr := call.AllocResults()
	switch {
	case allocErr != nil:
		return allocErr
	case err != nil:
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetWatched(watched)
	return nil
}

// WatchOver ends the watch over a set that has held.
func (g *gateServer) WatchOver(_ context.Context, call update.HealthGate_watchOver) error {
	call.Go()
	return convert.Answer(call.AllocResults, g.trial.EndWatch(call.Args().Boot()))
}

// BootEnds notes that the end of this boot was ordered.
func (g *gateServer) BootEnds(_ context.Context, call update.HealthGate_bootEnds) error {
	call.Go()
	if g.apps != nil { // before the system's record says that all is done
		if err := g.apps(); err != nil {
			return err
		}
	}
	return g.trial.EndBoot()
}

// HealthFailed takes the bad verdict on the current attempt.
func (g *gateServer) HealthFailed(ctx context.Context, call update.HealthGate_healthFailed) error {
	call.Go()
	reason, err := call.Args().Reason()
	if err != nil {
		return err
	}
	detail, err := call.Args().Detail()
	if err != nil {
		return err
	}
	output, err := textsOf(call.Args().Output())
	if err != nil {
		return err
	}
	refused, err := textsOf(call.Args().Refused())
	if err != nil {
		return err
	}
	verdict, err := g.trial.Fail(ctx, updater.Failure{
		Boot: call.Args().Boot(), Reason: refusal.Reason(reason), Detail: detail, Output: output, Refused: refused,
	})
	res, allocErr := call.AllocResults()
	switch {
	case allocErr != nil:
		return allocErr
	case err != nil:
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetVerdict(wireVerdict(verdict))
	return nil
}

// Installed hands out what keystored needs to know before it goes on to another root.
func (g *gateServer) Installed(_ context.Context, call update.HealthGate_installed) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return setInstalled(res.NewSets, g.installed())
}

// textsOf takes what the getter of a call's arguments returns.
func textsOf(list capnp.TextList, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return vat.Texts(list)
}

func wireVerdict(v bootctl.Verdict) update.Verdict {
	switch v {
	case bootctl.Retry:
		return update.Verdict_retry
	case bootctl.RolledBack:
		return update.Verdict_rolledBack
	default:
		return update.Verdict_stays
	}
}

func wireHandOver(h updater.HandOver) update.HandOver {
	switch h {
	case updater.ToSlot:
		return update.HandOver_slot
	case updater.ToImage:
		return update.HandOver_image
	default:
		return update.HandOver_none
	}
}
