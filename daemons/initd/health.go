package initd

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/vat"
	"nexus/daemons/wire"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// watchHealth counts boot attempts, gathers the verdict on each and delivers it, until ctx ends. It begins anew for every life of
// `updated`, and whenever something went wrong on the way: an attempt that was under way is gathered again, not counted again.
func (s *system) watchHealth(ctx context.Context) {
	at := &attempt{end: func() {}}
	attempt := func(a update.Attempt) *attempt { return s.newAttempt(ctx, a) }
	s.holdings["HealthGate"].Each(ctx, func(ctx context.Context, client capnp.Client) {
		for ctx.Err() == nil {
			g := &gatekeeper{s: s, gate: update.HealthGate(client), at: at, attempt: attempt}
			err := g.run(ctx)
			at = g.at
			if ctx.Err() != nil {
				return
			}
			s.log.Warn("health gate interrupted", "error", err)
			select {
			case <-s.host.Clock.After(firstPause):
			case <-ctx.Done():
			}
		}
	})
}

// A gatekeeper takes the system from attempt to verdict over one life of the HealthGate.
type gatekeeper struct {
	s    *system
	gate update.HealthGate
	at   *attempt

	attempt func(update.Attempt) *attempt // makes one that outlives this life of the gate
}

// run begins an attempt at the start, and whenever the record has moved on to a later boot than the one it is at: after a switch or a
// rollback.
func (g *gatekeeper) run(ctx context.Context) error {
	boots, err := g.s.followBoot(ctx)
	if err != nil {
		return err
	}
	due := g.at.boot == 0 || g.at.handing
	if g.at.boot == 0 && g.begun() == 0 {
		if err := g.holdBack(ctx, boots); err != nil {
			return err
		}
	}
	for {
		switch {
		case due:
			due, err = false, g.begin(ctx)
		case !g.at.settled:
			due, err = g.settle(ctx, boots)
		default:
			due, err = g.awaitBoot(ctx, boots)
		}
		if err != nil {
			return err
		}
	}
}

// holdBack waits before the first attempt of a boot where too many before it ended without an order, and no longer than until an operator has
// changed what is to run.
func (g *gatekeeper) holdBack(ctx context.Context, boots <-chan bootWord) error {
	var over <-chan time.Time
	for {
		select {
		case word, following := <-boots:
			if !following {
				return errFollow
			}
			if word.pause == 0 {
				return nil
			}
			if over == nil {
				g.s.log.Warn("boots end without an order: the next attempt waits", "pause", word.pause)
				over = g.s.host.Clock.After(word.pause)
			}
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitBoot waits for the next word of the record and tells whether it asks for another attempt. Meanwhile a set under watch may prove that
// it holds, or that it does not.
func (g *gatekeeper) awaitBoot(ctx context.Context, boots <-chan bootWord) (due bool, err error) {
	changed := g.s.changed.Next()
	switch {
	case g.at.held:
		return false, g.endWatch(ctx)
	case g.at.watched:
		switch v := g.at.watch.get(); v.Outcome {
		case health.OK:
			return false, g.endWatch(ctx)
		case health.Failed:
			return g.fail(ctx, failure{v.Reason, v.Detail})
		}
	}
	select {
	case <-changed:
		return false, nil
	case <-g.at.holds:
		g.at.holds, g.at.held = nil, true
		return false, nil
	case word, following := <-boots:
		if !following {
			return false, errFollow
		}
		return word.boot > g.at.boot, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// endWatch says that the set has held, under watch or without.
func (g *gatekeeper) endWatch(ctx context.Context) error {
	answer, release := g.gate.WatchOver(ctx, func(p update.HealthGate_watchOver_Params) error {
		p.SetBoot(g.at.boot)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	g.at.watched, g.at.held = false, false // refused or not: a watch over another attempt is none of this one
	return wire.Refused(res.Refusal())
}

// begin counts an attempt, or takes up the one that was counted for it. When it returns, the attempt is durable and its slot is published, or the
// reason why not is known. Where another core has to take over, it returns with ctx.
func (g *gatekeeper) begin(ctx context.Context) error {
	answer, release := g.gate.BootAttempt(ctx, func(p update.HealthGate_bootAttempt_Params) error {
		p.SetBegun(g.begun())
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	a, err := res.Attempt()
	if err != nil {
		return err
	}
	g.at.end()
	g.at = g.attempt(a)
	refused := wire.Refused(a.Refusal())
	if refused == nil && a.HandOver() != update.HandOver_none {
		g.at.handing = true
		refused = g.handOver(ctx, a)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case vat.Disconnected(refused):
			return refused // asked again in the next life of the gate
		}
		g.at.handing = false
	}
	if refused != nil {
		g.at.failed = &failure{refusal.PublishFailed, refusal.DetailOf(refused)}
	}
	g.s.log.Info("boot attempt", "boot", a.Boot(), "slot", a.Slot(), "trial", a.Trial(), "tries_left", a.TriesLeft(),
		"deadline", g.at.policy.Deadline, "watch", g.at.policy.Watch)
	return nil
}

// begun is the number of the attempt that was counted already: by the core before, or by this one, which could not hand over for it yet.
func (g *gatekeeper) begun() uint64 {
	switch {
	case g.at.handing:
		return g.at.boot
	case g.at.boot == 0:
		return g.s.config.Handed.Attempt
	}
	return 0
}

// settle gathers the verdict on the current attempt and delivers it. It returns due when another attempt is to begin: a retry, or
// because the record moved on in the meantime.
func (g *gatekeeper) settle(ctx context.Context, boots <-chan bootWord) (due bool, err error) {
	for {
		changed := g.s.changed.Next()
		switch v := g.judge(); {
		case v.Outcome == health.OK:
			return false, g.commit(ctx)
		case v.Outcome == health.Failed && !g.at.reported:
			return g.fail(ctx, failure{v.Reason, v.Detail})
		}
		select {
		case <-changed:
		case word, following := <-boots:
			if !following {
				return false, errFollow
			}
			if word.boot > g.at.boot {
				return true, nil
			}
		case <-g.at.deadline:
			if v := g.judge().AtDeadline(); v.Outcome == health.Failed {
				g.at.failed = &failure{v.Reason, v.Detail}
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// judge gives the verdict as things stand: publication, daemons, services, votes.
func (g *gatekeeper) judge() health.Verdict {
	if f := g.at.failed; f != nil {
		return health.Verdict{Outcome: health.Failed, Reason: f.reason, Detail: f.detail}
	}
	others := health.Judge(g.s.core(), nil, 0, g.s.ballot.votes(g.at.boot))
	services := g.at.services.get()
	if others.Outcome == health.Failed || services.Outcome == health.OK {
		return others
	}
	return services
}

// commit delivers the good verdict and says so only after it was acknowledged.
func (g *gatekeeper) commit(ctx context.Context) error {
	answer, release := g.gate.HealthOk(ctx, func(p update.HealthGate_healthOk_Params) error {
		p.SetBoot(g.at.boot)
		p.SetWatch(g.at.policy.Watch > 0)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	if err := g.acknowledged(wire.Refused(res.Refusal())); err != nil || !g.at.settled {
		return err
	}
	switch {
	case res.Watched() && !g.at.watched:
		g.at.watched = true
		g.at.beginWatch()
	case !res.Watched() && g.at.abrupt:
		g.at.abrupt = false
		g.at.holds = g.s.host.Clock.After(cmp.Or(g.at.policy.Watch, health.DefaultPolicy().Watch))
	}
	g.s.log.Announce(ctx, fmt.Sprintf("init: health ok (slot %s)", g.at.slot))
	return nil
}

// acknowledged takes the answer to a verdict. A verdict on an attempt that is over is void: the record has moved on, and the boot number
// that says so is on its way. Any other refusal means that the verdict is not in the record, so it is delivered again.
func (g *gatekeeper) acknowledged(refused error) error {
	g.at.settled = refused == nil
	if refusal.Of(refused) == refusal.WrongBoot {
		g.at.settled = true
		g.s.log.Warn("verdict came too late", "boot", g.at.boot)
		return errLate
	}
	return refused
}

// fail delivers the bad verdict.
func (g *gatekeeper) fail(ctx context.Context, f failure) (retry bool, err error) {
	g.s.log.Warn("slot is not healthy", "slot", g.at.slot, "boot", g.at.boot, "reason", f.reason, "detail", f.detail)
	answer, release := g.gate.HealthFailed(ctx, func(p update.HealthGate_healthFailed_Params) error {
		p.SetBoot(g.at.boot)
		if err := p.SetReason(string(f.reason)); err != nil {
			return err
		}
		return p.SetDetail(f.detail)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return false, err
	}
	if err := g.acknowledged(wire.Refused(res.Refusal())); err != nil {
		return false, err
	}
	if res.Verdict() == update.Verdict_stays {
		g.at.watched = false
		g.at.reported, g.at.settled, g.at.failed = true, false, nil
		return false, nil
	}
	return true, nil
}
