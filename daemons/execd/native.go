package execd

import (
	"context"
	"fmt"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	servicecap "nexus/capnpgen/service"
	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// pollEvery is how often a native service that is still starting is asked again.
const pollEvery = 50 * time.Millisecond

// watch finds out whether a running program is healthy. A native service answers on fd 3 and is asked. A plain one never touches fd 3,
// which shows: what we sent there stays unread; it is healthy once it has run for the settle time. One that answers later is asked from then
// on, and one whose manifest says that it is native is never taken for plain.
func (s *service) watch(ctx context.Context, p *program) {
	answered := make(chan capnp.Client)
	go func() {
		client, err := p.conn.Bootstrap(ctx)
		if err != nil {
			return
		}
		select {
		case answered <- client:
		case <-ctx.Done():
			client.Release()
		}
	}()
	settled := s.sup.host.Clock.After(s.sup.settle)
	for {
		select {
		case client := <-answered:
			s.watchNative(ctx, p, servicecap.Service(client))
			return
		case <-settled:
			switch {
			case s.spec.native:
				settled = nil
			case untouched(p), hungUp(p): // the latter closes whatever it finds open, as daemons do
				s.well(false, "runs")
				settled = nil
			default: // it reads fd 3, so it is about to answer
				settled = s.sup.host.Clock.After(pollEvery)
			}
		case <-ctx.Done():
			return
		}
	}
}

// hungUp tells whether the program has closed fd 3. One whose connection the guard closed has not.
func hungUp(p *program) bool {
	select {
	case <-p.breach.known:
		return false
	default:
	}
	select {
	case <-p.conn.Done():
		return true
	default:
		return false
	}
}

// untouched tells whether the program has left alone what it was sent on fd 3.
func untouched(p *program) bool {
	unread, err := plat.Unread(p.socket)
	return err == nil && unread > 0
}

// watchNative asks a native service until it says that it is healthy, then keeps it registered under its name. It takes the client
// over.
func (s *service) watchNative(ctx context.Context, p *program, client servicecap.Service) {
	defer client.Release()
	if !s.askNative(ctx, p, client) {
		return
	}
	p.links.serve(client)
	defer p.links.unserve()
	s.sup.registrars.Each(ctx, func(ctx context.Context, registrars capnp.Client) {
		if err := register(ctx, registry.BundleRegistrar(registrars), s.spec.name, client); err != nil && ctx.Err() == nil {
			s.sup.log.Warn("cannot register service", "bundle", s.spec.name, "error", err)
		}
	})
}

// askNative asks for version and health; false means that the service is not healthy or the wait is over.
func (s *service) askNative(ctx context.Context, p *program, client servicecap.Service) bool {
	for {
		state, detail, err := ask(ctx, client, s.spec.version)
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			s.unanswered(ctx, p, err)
			return false
		case state == health.Healthy:
			s.well(true, detail)
			return true
		case state != health.Starting:
			s.fail(state, detail)
			return false
		}
		select {
		case <-s.sup.host.Clock.After(pollEvery):
		case <-ctx.Done():
			return false
		}
	}
}

// unanswered records that a native service did not answer. If it is because its program ended, the end says more, so that is waited for.
func (s *service) unanswered(ctx context.Context, p *program, cause error) {
	select {
	case <-p.process.Done():
	case <-s.sup.host.Clock.After(s.sup.settle):
		s.fail(health.Unhealthy, cause.Error())
	case <-ctx.Done():
	}
}

// ask asks the running program which version it is and how it is.
func ask(ctx context.Context, client servicecap.Service, want string) (health.State, string, error) {
	v, release := client.Version(ctx, nil)
	defer release()
	versionRes, err := v.Struct()
	if err != nil {
		return 0, "", err
	}
	version, err := versionRes.Version()
	if err != nil {
		return 0, "", err
	}
	h, release := client.Health(ctx, nil)
	defer release()
	res, err := h.Struct()
	if err != nil {
		return 0, "", err
	}
	detail, err := res.Detail()
	if version != want {
		detail = fmt.Sprintf("it answers as version %q", version)
	}
	return health.NativeState(answerOf(res.Health()), version, want), detail, err
}

// answerOf is an answer of the schema as the domain names it; one that the schema does not know counts as none.
func answerOf(h servicecap.Health) health.Answer {
	switch h {
	case servicecap.Health_starting:
		return health.AnswerStarting
	case servicecap.Health_ok:
		return health.AnswerOK
	case servicecap.Health_failing:
		return health.AnswerFailing
	default:
		return health.AnswerNone
	}
}

// register keeps a service under its bundle's name until ctx ends.
func register(ctx context.Context, registrars registry.BundleRegistrar, name string, client servicecap.Service) error {
	r, release := registrars.ForBundle(ctx, func(p registry.BundleRegistrar_forBundle_Params) error { return p.SetBundle(name) })
	defer release()
	res, err := r.Struct()
	if err != nil {
		return err
	}
	answer, release := res.Registrar().Register(ctx, func(p registry.Registrar_register_Params) error {
		return p.SetService(capnp.Client(client.AddRef()))
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		return err
	}
	<-ctx.Done() // the registration lasts as long as its answer is held
	return nil
}
