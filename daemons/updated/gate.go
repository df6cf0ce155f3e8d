package updated

import (
	"context"
	"time"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// A gateServer is the HealthGate: the power to count attempts and to commit.
type gateServer struct {
	engine *engine
}

// BootAttempt counts an attempt, and only then lets its slot run, or the core that has to take over for it.
func (g *gateServer) BootAttempt(ctx context.Context, call update.HealthGate_bootAttempt) error {
	call.Go()
	attempt, publishErr, err := g.engine.bootAttempt(ctx, call.Args().Begun())
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
	asks := g.engine.content(attempt.Slot).Health
	a.SetDeadlineMs(uint32(asks.Deadline / time.Millisecond))
	a.SetWatchMs(uint32(asks.Watch / time.Millisecond))
	if publishErr != nil {
		return convert.Refuse(a.NewRefusal, publishErr)
	}
	a.SetHandOver(g.engine.successor(attempt.Slot))
	return nil
}

// bootAttempt counts durably, verifies the slot's every byte against its signature, and has it published, unless
// another core has to take over for it first. The attempt that was begun for this one by the core before, if it is
// still the current one, is not counted again. A slot in which damage is found is marked so, and where that brings the
// other one back, an attempt for it follows. publishErr tells why the slot cannot run; err means that not even the
// attempt, or its end, could be recorded.
func (e *engine) bootAttempt(ctx context.Context, begun uint64) (attempt bootctl.Attempt, publishErr, err error) {
	for {
		attempt, publishErr, err = e.attempt(ctx, begun)
		reason, damaged := slots.DamageOf(publishErr)
		if err != nil || !damaged {
			return attempt, publishErr, err
		}
		if moved, err := e.damaged(attempt.Slot, reason, publishErr); err != nil || !moved {
			return attempt, publishErr, err
		}
	}
}

func (e *engine) attempt(ctx context.Context, begun uint64) (attempt bootctl.Attempt, publishErr, err error) {
	if attempt, underWay := e.snapshot().Attempt(begun); underWay {
		return attempt, e.runSlot(ctx, attempt), nil
	}
	if e.snapshot().WatchLeft > 0 { // it may be the last one of a watch, and go back
		if err := e.lookBack(ctx); err != nil {
			return attempt, nil, err
		}
	}
	err = e.change(func(r bootctl.Record) (bootctl.Record, error) {
		next, a := r.BootAttempt()
		attempt = a
		return next, nil
	})
	if err != nil {
		return attempt, nil, err
	}
	if attempt.RolledBack {
		e.auditRollback(e.snapshot())
	}
	return attempt, e.runSlot(ctx, attempt), nil
}

// runSlot verifies the slot and has it published, if its set may run and the core that runs is the one for it.
func (e *engine) runSlot(ctx context.Context, attempt bootctl.Attempt) error {
	if err := e.verify(ctx, attempt.Slot); err != nil {
		return err
	}
	if err := e.mended(attempt.Slot); err != nil {
		return err
	}
	r := e.snapshot()
	if err := r.MayRun(attempt.Slot); err != nil {
		return err
	}
	if e.successor(attempt.Slot) != update.HandOver_none {
		return nil
	}
	digest := nxs.Digest(r.Slot(attempt.Slot).Digest)
	return e.publisher.publish(ctx, publication{slot: attempt.Slot, digest: digest, boot: attempt.Boot})
}

// HealthOk commits the current attempt.
func (g *gateServer) HealthOk(_ context.Context, call update.HealthGate_healthOk) error {
	call.Go()
	watched, err := g.engine.confirm(call.Args().Boot(), call.Args().Watch())
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

// commit confirms the attempt for good.
func (e *engine) commit(boot uint64) error {
	_, err := e.confirm(boot, false)
	return err
}

// confirm confirms the attempt and tells whether its set is under watch then, as it is only if that is asked for.
func (e *engine) confirm(boot uint64, watch bool) (watched bool, err error) {
	var what subject
	err = e.change(func(r bootctl.Record) (next bootctl.Record, err error) {
		what = about(r, r.Running())
		if watch {
			next, err = r.CommitAndWatch(boot, e.tries)
		} else {
			next, err = r.CommitHealth(boot)
		}
		watched = next.WatchLeft > 0
		return next, err
	})
	e.audit("health", what, err)
	return watched, err
}

// WatchOver ends the watch over a set that has held.
func (g *gateServer) WatchOver(_ context.Context, call update.HealthGate_watchOver) error {
	call.Go()
	err := g.engine.endWatch(call.Args().Boot())
	res, allocErr := call.AllocResults()
	if err == nil || allocErr != nil {
		return allocErr
	}
	return convert.Refuse(res.NewRefusal, err)
}

func (e *engine) endWatch(boot uint64) error {
	var what subject
	watched := false
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) {
		what, watched = about(r, r.Active), r.WatchLeft > 0
		return r.EndWatch(boot)
	})
	if watched || err != nil {
		e.audit("held", what, err)
	}
	return err
}

// BootEnds notes that the end of this boot was ordered.
func (g *gateServer) BootEnds(_ context.Context, call update.HealthGate_bootEnds) error {
	call.Go()
	return g.engine.endBoot()
}

func (e *engine) endBoot() error {
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.EndBoot(), nil })
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
	verdict, err := g.engine.fail(ctx, call.Args().Boot(), refusal.Reason(reason), detail)
	res, allocErr := call.AllocResults()
	if allocErr != nil {
		return allocErr
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetVerdict(wireVerdict(verdict))
	return nil
}

func (e *engine) fail(ctx context.Context, boot uint64, reason refusal.Reason, detail string) (bootctl.Verdict, error) {
	if r := e.snapshot(); r.WatchLeft > 0 && r.Boot == boot {
		if err := e.lookBack(ctx); err != nil {
			return 0, err
		}
	}
	var verdict bootctl.Verdict
	var what subject
	err := e.change(func(r bootctl.Record) (bootctl.Record, error) {
		what = about(r, r.Running())
		next, v, err := r.Fail(boot, reason, detail)
		verdict = v
		return next, err
	})
	if err != nil {
		e.audit("health", what, err)
		return verdict, err
	}
	what.reason, what.detail = string(reason), detail
	e.auditAs("health", what, logclient.ResultFailed)
	if verdict == bootctl.RolledBack {
		e.auditRollback(e.snapshot())
	}
	return verdict, nil
}

// auditRollback records the rollback the record has just gone through, by the slot and the set that were left.
func (e *engine) auditRollback(r bootctl.Record) {
	if r.LastRollback == nil {
		return
	}
	e.audit("rollback", subject{
		slot: r.Standby(), version: r.LastRollback.Version, digest: nxs.Digest(r.LastRollback.Digest),
		reason: string(r.LastRollback.Reason), detail: r.LastRollback.Detail,
	}, nil)
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
