package initd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// A gate does what the trial asks for, one thing at a time, over HealthGate.
type gate struct {
	s     *system
	of    slotPair
	began func() // is called once an attempt has begun here
	// an attempt that has been counted: by the previous core, or by this one, which could not hand over yet
	begun uint64
	slot  bootrecord.Slot // of the current attempt
	said  *lastWords
	retry *retry
}

// do does what the trial asks for, and returns the outcome.
func (g *gate) do(ctx context.Context, do health.Action) health.Event {
	holding := g.of.gate.holding
	client, err := holding.Get(ctx)
	if err != nil {
		return health.Undone{} // ctx has ended
	}
	defer client.Release()
	own, release := g.of.gate.from(ctx, client)
	defer release()
	e, err := g.over(ctx, update.HealthGate(own), do)
	switch {
	case err == nil:
		return e
	case vat.Disconnected(err):
		holding.Lost(ctx, client)
	case ctx.Err() == nil:
		g.log().Warn("health gate interrupted", "error", err)
	}
	g.retry.rest(ctx)
	return health.Undone{}
}

// log is where what is done is told.
func (g *gate) log() hclog.Logger {
	if g.of.app == "" {
		return g.s.log
	}
	return g.s.log.With("app", g.of.app)
}

// over does it with one instance of updated.
func (g *gate) over(ctx context.Context, gate update.HealthGate, do health.Action) (health.Event, error) {
	switch do.Do {
	case health.Begin:
		return g.begin(ctx, gate)
	case health.Commit:
		return g.commit(ctx, gate, do)
	case health.Fail:
		return g.fail(ctx, gate, do)
	default:
		return g.endWatch(ctx, gate, do.Boot)
	}
}

// begin counts an attempt, or continues the one that was counted. When it returns, the attempt is durable and its slot
// is published, or it returns why not. If another core has to take over, it returns when ctx ends.
func (g *gate) begin(ctx context.Context, gate update.HealthGate) (health.Event, error) {
	answer, release := gate.BootAttempt(ctx, func(p update.HealthGate_bootAttempt_Params) error {
		p.SetBegun(g.begun)
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
		g.begun = a.Boot() // so that it is not counted again if this is interrupted
		refused = g.handOver(ctx, gate, a)
		if ctx.Err() != nil || vat.Disconnected(refused) {
			return nil, refused
		}
	}
	g.begun, g.slot = 0, a.Slot()
	set, err := a.IndexSha256()
	if err != nil {
		return nil, err
	}
	if g.of.app == "" { // daemons run from the system's set, whatever apps do
		g.s.runs.Store(&logclient.Crash{Slot: g.slot.String(), Set: hex.EncodeToString(set)})
	}
	g.s.states.settle(ctx)
	attempt := g.attemptOf(a)
	if refused != nil {
		attempt.Reason, attempt.Detail = unpublished(refused), refusal.DetailOf(refused)
	}
	g.began()
	g.log().Info("boot attempt", "boot", a.Boot(), "slot", a.Slot(), "trial", a.Trial(), "tries_left", a.TriesLeft(),
		"deadline", attempt.Policy.Deadline, "watch", attempt.Policy.Watch)
	return health.Began{Attempt: attempt}, nil
}

// commit delivers the good verdict, and reports it only once it is acknowledged.
func (g *gate) commit(ctx context.Context, gate update.HealthGate, do health.Action) (health.Event, error) {
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
	if late, err := g.tooLate(do.Boot, convert.Refused(res.Refusal())); late || err != nil {
		return health.TooLate{}, err
	}
	g.s.states.settle(ctx)
	if g.of.app == "" {
		g.s.log.Announce(ctx, fmt.Sprintf("init: health ok (slot %s)", g.slot))
	}
	return health.Confirmed{Watched: res.Watched()}, nil
}

// fail delivers the bad verdict.
func (g *gate) fail(ctx context.Context, gate update.HealthGate, do health.Action) (health.Event, error) {
	g.log().Warn("slot is not healthy", "slot", g.slot, "boot", do.Boot, "reason", do.Reason, "detail", do.Detail)
	answer, release := gate.HealthFailed(ctx, func(p update.HealthGate_healthFailed_Params) error {
		p.SetBoot(do.Boot)
		if err := errors.Join(p.SetReason(string(do.Reason)), p.SetDetail(do.Detail)); err != nil {
			return err
		}
		said := g.said.of(do.Service)
		return errors.Join(vat.SetTexts(p.NewOutput, said.output), vat.SetTexts(p.NewRefused, said.refused))
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	if late, err := g.tooLate(do.Boot, convert.Refused(res.Refusal())); late || err != nil {
		return health.TooLate{}, err
	}
	return health.Rejected{Stays: res.Verdict() == update.Verdict_stays}, nil
}

// tooLate reports whether a verdict is for an attempt that is over; the news of the next one is on its way. After any
// other refusal the verdict is not in the record, and is delivered again.
func (g *gate) tooLate(boot uint64, refused error) (bool, error) {
	if refusal.Of(refused) != refusal.WrongBoot {
		return false, refused
	}
	g.log().Warn("verdict came too late", "boot", boot)
	return true, nil
}

// endWatch reports that the set has held, with or without a watch.
func (g *gate) endWatch(ctx context.Context, gate update.HealthGate, boot uint64) (health.Event, error) {
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
		g.log().Warn("the watch is not of this attempt", "boot", boot, "error", err)
	}
	g.s.states.settle(ctx)
	return health.WatchEnded{}, nil
}

// attemptOf returns an attempt as updated counted it, under the policy of the device and of the set.
func (g *gate) attemptOf(a update.Attempt) health.Attempt {
	return health.Attempt{
		Boot: a.Boot(), Trial: a.Trial(), Abrupt: a.AbruptEnds() > 0,
		Policy: g.s.config.Policy.With(milliseconds(a.DeadlineMs()), milliseconds(a.WatchMs())),
	}
}
