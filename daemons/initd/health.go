package initd

import (
	"context"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/update"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// An attempt is the boot attempt initd is at. It outlives a restart of `updated`, whose record names it by number.
type attempt struct {
	boot    uint64
	slot    bootrecord.Slot
	failed  *failure // it could not even be published
	settled bool     // its verdict has been acknowledged
}

// A failure is why an attempt is not healthy.
type failure struct {
	reason refusal.Reason
	detail string
}

// watchHealth counts boot attempts, gathers the verdict on each and delivers it, until ctx ends. It runs once for every life of
// `updated`: an attempt that was under way when updated died is gathered again, not counted again.
func (s *system) watchHealth(ctx context.Context) {
	var at attempt
	s.holdings["HealthGate"].Each(ctx, func(ctx context.Context, client capnp.Client) {
		g := &gatekeeper{s: s, gate: update.HealthGate(client), at: &at}
		if err := g.run(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("health gate lost", "error", err)
		}
	})
}

// A gatekeeper takes the system from attempt to verdict over one life of the HealthGate.
type gatekeeper struct {
	s    *system
	gate update.HealthGate
	at   *attempt
}

// run begins an attempt at the start, and whenever the record has moved on to a later boot than the one it is at: after a switch or a
// rollback.
func (g *gatekeeper) run(ctx context.Context) error {
	boots, err := g.followBoot(ctx)
	if err != nil {
		return err
	}
	due := g.at.boot == 0
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

// awaitBoot waits for the next word of the record and tells whether it asks for another attempt.
func (g *gatekeeper) awaitBoot(ctx context.Context, boots <-chan uint64) (due bool, err error) {
	select {
	case boot := <-boots:
		return boot > g.at.boot, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// begin counts an attempt. When it returns, the attempt is durable and its slot is published, or the reason why not is known.
func (g *gatekeeper) begin(ctx context.Context) error {
	answer, release := g.gate.BootAttempt(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	a, err := res.Attempt()
	if err != nil {
		return err
	}
	*g.at = attempt{boot: a.Boot(), slot: a.Slot()}
	if refused, err := a.Refusal(); err == nil {
		if reason, _ := refused.Reason(); reason != "" {
			detail, _ := refused.Detail()
			g.at.failed = &failure{refusal.PublishFailed, detail}
		}
	}
	g.s.log.Info("boot attempt", "boot", a.Boot(), "slot", a.Slot(), "trial", a.Trial(), "tries_left", a.TriesLeft())
	return nil
}

// settle gathers the verdict on the current attempt and delivers it. It returns due when another attempt is to begin: a retry, or
// because the record moved on in the meantime.
func (g *gatekeeper) settle(ctx context.Context, boots <-chan uint64) (due bool, err error) {
	gathering, cancel := context.WithCancel(ctx)
	defer cancel()
	verdict := make(chan *failure, 1)
	go func() { verdict <- g.gather(gathering) }()
	for {
		select {
		case boot := <-boots:
			if boot > g.at.boot {
				cancel()
				<-verdict
				return true, nil
			}
		case f := <-verdict:
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if f == nil {
				return false, g.commit(ctx)
			}
			return g.fail(ctx, f)
		}
	}
}

// gather waits for core readiness, the services of the slot and the vote, within the deadline. Nil means healthy.
func (g *gatekeeper) gather(ctx context.Context) *failure {
	if g.at.failed != nil {
		return g.at.failed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	services := make(chan *failure, 1)
	go func() { services <- g.askServices(ctx) }()

	deadline := g.s.host.Clock.After(g.s.config.Policy.Deadline)
	servicesOK := false
	for {
		changed := g.s.changed.Next()
		v := g.judge(servicesOK)
		switch v.Outcome {
		case health.OK:
			return nil
		case health.Failed:
			return &failure{v.Reason, v.Detail}
		}
		select {
		case f := <-services:
			if f != nil {
				return f
			}
			servicesOK = true
		case <-changed:
		case <-deadline:
			v = v.AtDeadline()
			return &failure{v.Reason, v.Detail}
		case <-ctx.Done():
			return &failure{refusal.Superseded, "another attempt began"}
		}
	}
}

// judge gives the verdict as things stand. The services' part of it is execd's: it watches them, here only its word counts.
func (g *gatekeeper) judge(servicesOK bool) health.Verdict {
	v := health.Judge(g.s.core(), nil, g.s.ballot.votes(g.at.boot))
	if v.Outcome == health.Failed || servicesOK {
		return v
	}
	return health.Verdict{Outcome: health.Waiting, Detail: "the services: not all healthy"}
}

// askServices asks execd for its verdict on the attempt, again whenever execd restarts.
func (g *gatekeeper) askServices(ctx context.Context) *failure {
	for {
		f, err := g.askServicesOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return &failure{refusal.Superseded, "another attempt began"}
		case err == nil && (f == nil || f.reason != refusal.Superseded):
			return f
		}
		// The daemon died under the question, or has not seen this publication yet: ask the next one, or the same one again.
		select {
		case <-g.s.host.Clock.After(firstPause):
		case <-ctx.Done():
		}
	}
}

func (g *gatekeeper) askServicesOnce(ctx context.Context) (*failure, error) {
	client, err := g.s.holdings["ServiceWatch"].Get(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Release()
	answer, release := exec.ServiceWatch(client).Verdict(ctx, func(p exec.ServiceWatch_verdict_Params) error {
		p.SetBoot(g.at.boot)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil || res.Ok() {
		return nil, err
	}
	reason, err := res.Reason()
	if err != nil {
		return nil, err
	}
	detail, err := res.Detail()
	return &failure{refusal.Reason(reason), detail}, err
}

// commit delivers the good verdict and says so only after it was acknowledged.
func (g *gatekeeper) commit(ctx context.Context) error {
	answer, release := g.gate.HealthOk(ctx, func(p update.HealthGate_healthOk_Params) error {
		p.SetBoot(g.at.boot)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	refused, err := res.Refusal()
	if err != nil {
		return err
	}
	if reason, _ := refused.Reason(); reason != "" {
		g.s.log.Warn("commit refused", "boot", g.at.boot, "reason", reason)
		return nil // the record moved on; the boots channel says so
	}
	g.at.settled = true
	return g.s.log.Marker(ctx, fmt.Sprintf("init: health ok (slot %s)", g.at.slot))
}

// fail delivers the bad verdict.
func (g *gatekeeper) fail(ctx context.Context, f *failure) (retry bool, err error) {
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
	g.at.settled = true
	switch res.Verdict() {
	case update.Verdict_retry, update.Verdict_rolledBack:
		return true, nil
	default:
		return false, nil
	}
}

// followBoot returns the boot number of the record, now and after each change; only the newest is kept.
func (g *gatekeeper) followBoot(ctx context.Context) (<-chan uint64, error) {
	client, err := g.s.holdings["UpdateStatus"].Get(ctx)
	if err != nil {
		return nil, err
	}
	defer client.Release()
	observer := &bootObserver{boots: make(chan uint64, 1)}
	answer, release := update.UpdateStatus(client).Follow(ctx, func(p update.UpdateStatus_follow_Params) error {
		return p.SetObserver(update.StatusObserver_ServerToClient(observer))
	})
	res, err := answer.Struct()
	if err != nil {
		release()
		return nil, err
	}
	subscription := res.Subscription().AddRef()
	release()
	context.AfterFunc(ctx, subscription.Release)
	return observer.boots, nil
}

// A bootObserver keeps the newest boot number.
type bootObserver struct {
	boots chan uint64
}

func (o *bootObserver) OnChanged(_ context.Context, call update.StatusObserver_onChanged) error {
	status, err := call.Args().Status()
	if err != nil {
		return err
	}
	for {
		select {
		case o.boots <- status.Boot():
			return nil
		default:
		}
		select {
		case <-o.boots:
		default:
		}
	}
}
