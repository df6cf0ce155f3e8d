package execd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	servicecap "nexus/capnpgen/service"
	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// The pause between two health checks of a native service: while it starts, and after that.
const (
	pollEvery = 50 * time.Millisecond
	askEvery  = time.Second
)

// askPatience is how long a service that was healthy may take to answer. It is measured in execd's own running time, so
// that a service is not blamed if the whole machine was suspended.
const askPatience = 10 * time.Second

// watch finds out whether a running program is healthy. A native service answers on fd 3. A plain one never touches fd
// 3, which shows because the request stays unread; it is healthy once it has run for the settle time. A service that
// answers later is native from then on. One whose manifest says native never counts as plain.
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
	settled := plat.AfterRunning(ctx, s.sup.clock, s.sup.settle)
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
				s.say(ctx, false, health.Healthy, "runs")
				settled = nil
			default: // it reads fd 3, so it is about to answer
				settled = plat.AfterRunning(ctx, s.sup.clock, pollEvery)
			}
		case <-ctx.Done():
			return
		}
	}
}

// hungUp reports whether the program has closed fd 3. It is false if the guard closed the connection.
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

// untouched reports whether the program has read nothing from fd 3.
func untouched(p *program) bool {
	unread, err := plat.Unread(p.socket)
	return err == nil && unread > 0
}

// watchNative checks a native service's health as long as it runs, and registers it under its name once it was healthy.
// It takes over the client.
func (s *service) watchNative(ctx context.Context, p *program, client servicecap.Service) {
	defer client.Release()
	offered := false
	var a answer
	for {
		var err error
		asked := s.publishedFor()
		a, err = s.ask(ctx, client, a.version)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.unanswered(ctx, p, err)
			return
		}
		s.say(ctx, true, a.state, a.detail)
		s.answered(asked)
		if a.state == health.Healthy && !offered {
			offered = true
			go s.offer(ctx, p, client.AddRef())
		}
		pause := askEvery
		if a.state == health.Starting {
			pause = pollEvery
		}
		select {
		case <-s.sup.clock.After(pause):
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// publishedFor returns the attempt of the current publication.
func (s *service) publishedFor() uint64 {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	return s.sup.current.boot
}

// answered records that the service has answered a question which was put in that attempt.
func (s *service) answered(boot uint64) {
	s.sup.mu.Lock()
	news := s.awaited && boot == s.sup.current.boot
	s.sup.mu.Unlock()
	if news {
		s.sup.change(func() { s.awaited = s.awaited && boot != s.sup.current.boot })
	}
}

// offer registers a service under its name until ctx ends, and if it is replaced then, until its successor is
// registered: so its clients always find the name. It takes over the client.
func (s *service) offer(ctx context.Context, p *program, client servicecap.Service) {
	defer client.Release()
	p.links.serve(client)
	lasting, end := context.WithCancel(s.sup.lasting)
	defer end()
	go func() {
		<-ctx.Done()
		if next := s.sup.forwarder.successor(s.spec.name); next != nil {
			await(lasting, next)
		}
		end()
	}()
	resume := sync.OnceFunc(func() { go s.sup.introducer.resume(lasting, s.spec.name) })
	if registrars, there := s.sup.registrars.Now(); there {
		registrars.Release()
	} else {
		resume() // there is no samgrd now
	}
	s.sup.registrars.Each(lasting, func(ctx context.Context, registrars capnp.Client) {
		err := register(ctx, registry.BundleRegistrar(registrars), s.spec.name, client, resume)
		resume()
		if err != nil && ctx.Err() == nil {
			s.sup.log.Warn("cannot register service", "bundle", s.spec.name, "error", err)
		}
	})
}

// say records the state of a running service. One that was healthy earlier in this run and no longer is has lapsed.
// Once ctx has ended, so has the run, and its exit status says more.
func (s *service) say(ctx context.Context, native bool, state health.State, detail string) {
	detail = cut(detail, maxAnswer) // it may be an exception of the program's
	s.sup.mu.Lock()
	news := s.State != state || s.Detail != detail || s.Native != native
	s.sup.mu.Unlock()
	if !news {
		return
	}
	s.sup.change(func() {
		if ctx.Err() != nil {
			return
		}
		if s.State == health.Healthy && state != health.Healthy {
			s.lapses++
		}
		s.State, s.Detail, s.Native = state, detail, native
		if state.Reason() != "" {
			s.noteFailure(detail)
		}
	})
	if state.Reason() != "" || state == health.Healthy && !native {
		s.endWaits()
	}
}

// endWaits ends the waits of those who want to use the service, unless they wait for its successor.
func (s *service) endWaits() {
	if !s.isLeaving() {
		s.sup.forwarder.fails(s.spec.name)
	}
}

// unanswered records that a native service can no longer be asked. If its program has ended, the exit status says more,
// so unanswered waits for that.
func (s *service) unanswered(ctx context.Context, p *program, cause error) {
	select {
	case <-p.process.Done():
	case <-plat.AfterRunning(ctx, s.sup.clock, s.sup.settle):
		s.say(ctx, true, health.Unhealthy, cause.Error())
	case <-ctx.Done():
	}
}

// maxAnswer bounds a text in a service's answer, in bytes. A version is shorter (nxb.MaxVersion).
const maxAnswer = 256

// An answer is a service's reply to a health check, and what it means.
type answer struct {
	version string
	state   health.State
	detail  string
}

// ask checks once and waits for the answer, however long it takes; there is only one check at a time. A service that
// was healthy becomes unhealthy while it takes too long.
func (s *service) ask(ctx context.Context, client servicecap.Service, version string) (a answer, err error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if version != s.spec.version {
			version, err = askVersion(ctx, client)
		}
		if err == nil {
			a, err = askHealth(ctx, client, version, s.spec.version)
		}
	}()
	select {
	case <-answered:
	case <-plat.AfterRunning(waiting, s.sup.clock, askPatience):
		if s.is(health.Healthy) {
			s.say(ctx, true, health.Unhealthy, "it does not answer")
		}
		<-answered // ends with ctx, too
	}
	return a, err
}

// askVersion asks a program for its version.
func askVersion(ctx context.Context, client servicecap.Service) (string, error) {
	v, release := client.Version(ctx, nil)
	defer release()
	res, err := v.Struct()
	if err != nil {
		return "", err
	}
	version, err := res.Version()
	return cut(version, maxAnswer), err
}

// askHealth asks a program for its health. With any other version than the expected one it is unhealthy, whatever it
// answers.
func askHealth(ctx context.Context, client servicecap.Service, version, want string) (answer, error) {
	h, release := client.Health(ctx, nil)
	defer release()
	res, err := h.Struct()
	if err != nil {
		return answer{}, err
	}
	detail, err := res.Detail()
	if version != want {
		detail = fmt.Sprintf("it answers as version %.64q", version)
	}
	return answer{version, health.NativeState(answerOf(res.Health()), version, want), cut(detail, maxAnswer)}, err
}

// answerOf converts an answer of the schema to the domain's. One that the schema does not define counts as no answer.
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

// register keeps a service under its bundle's name until ctx ends. It calls done once the service has the name.
func register(
	ctx context.Context, registrars registry.BundleRegistrar, name string, client servicecap.Service, done func(),
) error {
	r, release := registrars.ForBundle(ctx,
		func(p registry.BundleRegistrar_forBundle_Params) error { return p.SetBundle(name) })
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
	done()
	<-ctx.Done() // the registration lasts as long as its answer is held
	return nil
}
