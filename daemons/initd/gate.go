package initd

import (
	"context"
	"fmt"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// do does what the trial asks for over HealthGate, and returns what became of it.
func (k *keeper) do(ctx context.Context, do health.Action) health.Event {
	gate := k.s.holdings["HealthGate"]
	client, err := gate.Get(ctx)
	if err != nil {
		return health.Undone{} // ctx has ended
	}
	defer client.Release()
	e, err := k.over(ctx, update.HealthGate(client), do)
	switch {
	case err == nil:
		return e
	case vat.Disconnected(err):
		gate.Lost(ctx, client)
	case ctx.Err() == nil:
		k.s.log.Warn("health gate interrupted", "error", err)
	}
	k.rest(ctx)
	return health.Undone{}
}

// over does it over one life of the gate.
func (k *keeper) over(ctx context.Context, gate update.HealthGate, do health.Action) (health.Event, error) {
	switch do.Do {
	case health.Begin:
		return k.begin(ctx, gate)
	case health.Commit:
		return k.commit(ctx, gate, do)
	case health.Fail:
		return k.fail(ctx, gate, do)
	default:
		return k.endWatch(ctx, gate, do.Boot)
	}
}

// begin counts an attempt, or takes up the one that was counted for it. When it returns, the attempt is durable and its
// slot is published, or the reason why not is known. Where another core has to take over, it returns with ctx.
func (k *keeper) begin(ctx context.Context, gate update.HealthGate) (health.Event, error) {
	answer, release := gate.BootAttempt(ctx, func(p update.HealthGate_bootAttempt_Params) error {
		p.SetBegun(k.begun)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	a, err := res.Attempt()
	if err != nil {
		return nil, err
	}
	refused := convert.Refused(a.Refusal())
	if refused == nil && a.HandOver() != update.HandOver_none {
		k.begun = a.Boot() // not to be counted again where this is cut short
		refused = k.handOver(ctx, gate, a)
		if ctx.Err() != nil || vat.Disconnected(refused) {
			return nil, refused
		}
	}
	k.begun, k.slot = 0, a.Slot()
	attempt := k.attemptOf(a)
	if refused != nil {
		attempt.Reason, attempt.Detail = refusal.PublishFailed, refusal.DetailOf(refused)
	}
	k.s.log.Info("boot attempt", "boot", a.Boot(), "slot", a.Slot(), "trial", a.Trial(), "tries_left", a.TriesLeft(),
		"deadline", attempt.Policy.Deadline, "watch", attempt.Policy.Watch)
	return health.Began{Attempt: attempt}, nil
}

// commit delivers the good verdict and says so only after it was acknowledged.
func (k *keeper) commit(ctx context.Context, gate update.HealthGate, do health.Action) (health.Event, error) {
	answer, release := gate.HealthOk(ctx, func(p update.HealthGate_healthOk_Params) error {
		p.SetBoot(do.Boot)
		p.SetWatch(do.Watch)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	if late, err := k.tooLate(do.Boot, convert.Refused(res.Refusal())); late || err != nil {
		return health.TooLate{}, err
	}
	k.s.log.Announce(ctx, fmt.Sprintf("init: health ok (slot %s)", k.slot))
	return health.Confirmed{Watched: res.Watched()}, nil
}

// fail delivers the bad verdict.
func (k *keeper) fail(ctx context.Context, gate update.HealthGate, do health.Action) (health.Event, error) {
	k.s.log.Warn("slot is not healthy", "slot", k.slot, "boot", do.Boot, "reason", do.Reason, "detail", do.Detail)
	answer, release := gate.HealthFailed(ctx, func(p update.HealthGate_healthFailed_Params) error {
		p.SetBoot(do.Boot)
		if err := p.SetReason(string(do.Reason)); err != nil {
			return err
		}
		return p.SetDetail(do.Detail)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	if late, err := k.tooLate(do.Boot, convert.Refused(res.Refusal())); late || err != nil {
		return health.TooLate{}, err
	}
	return health.Rejected{Stays: res.Verdict() == update.Verdict_stays}, nil
}

// tooLate tells whether a verdict is about an attempt that is over: the record's word on the next one is on its way.
// Any other refusal means that the verdict is not in the record, so it is delivered again.
func (k *keeper) tooLate(boot uint64, refused error) (bool, error) {
	if refusal.Of(refused) != refusal.WrongBoot {
		return false, refused
	}
	k.s.log.Warn("verdict came too late", "boot", boot)
	return true, nil
}

// endWatch says that the set has held, under watch or without.
func (k *keeper) endWatch(ctx context.Context, gate update.HealthGate, boot uint64) (health.Event, error) {
	answer, release := gate.WatchOver(ctx, func(p update.HealthGate_watchOver_Params) error {
		p.SetBoot(boot)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	if err := convert.Refused(res.Refusal()); err != nil {
		k.s.log.Warn("the watch is none of this attempt's", "boot", boot, "error", err)
	}
	return health.WatchEnded{}, nil
}
