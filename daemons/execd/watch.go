package execd

import (
	"context"
	"errors"
	"time"

	"nexus/capnpgen/exec"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/nxb"
)

// A watchServer serves ServiceWatch.
type watchServer struct {
	s *supervisor
}

// List returns the state of the services.
func (w *watchServer) List(_ context.Context, call exec.ServiceWatch_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	all := append([]*supervisor{w.s}, w.s.apps.all()...)
	for _, s := range all {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	res.SetBoot(w.s.current.boot)
	return fillAll(res, all)
}

// A listing is a result that lists services.
type listing interface {
	SetQuorum(uint16)
	NewServices(int32) (exec.ServiceStatus_List, error)
}

// fillAll writes the state of the services of all supervisors, and the stuck programs of their earlier publications.
// The locks are held.
func fillAll(res listing, all []*supervisor) error {
	services, others := all[0].services[:len(all[0].services):len(all[0].services)], all[0].stuck
	for _, s := range all[1:] {
		services, others = append(services, s.services...), append(others[:len(others):len(others)], s.stuck...)
	}
	return fill(res, all[0].current.quorum, services, func(s *service) health.State { return s.State }, others)
}

// fill writes the state of services, as how tells it, and of stuck programs.
func fill(res listing, quorum int, services []*service, how func(*service) health.State, others []stuck) error {
	res.SetQuorum(uint16(quorum))
	list, err := res.NewServices(int32(len(services) + len(others)))
	if err != nil {
		return err
	}
	for i, service := range services {
		if err := service.fill(list.At(i), how(service)); err != nil {
			return err
		}
	}
	for i, other := range others {
		if err := other.fill(list.At(len(services) + i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) fill(m exec.ServiceStatus, state health.State) error {
	m.SetState(wireState(state))
	m.SetSince(s.since)
	m.SetNative(s.Native)
	m.SetOptional(s.Optional)
	m.SetPid(uint32(s.pid))
	m.SetRestarts(s.restarts)
	m.SetLapses(s.lapses)
	m.SetDamaged(s.damaged)
	m.SetSlot(s.spec.slot)
	if err := errors.Join(m.SetApp(s.spec.app), m.SetName(s.spec.name), m.SetVersion(s.spec.version),
		m.SetReason(string(state.Reason())), m.SetLastFailure(s.failure.how)); err != nil {
		return err
	}
	output, refused := s.words()
	return errors.Join(
		vat.SetTexts(m.NewOutput, output), vat.SetTexts(m.NewRefused, refused), m.SetDetail(s.Detail),
	)
}

// forVerdict is how the service counts in the current attempt. One that went on from another publication is available
// all the time, but what it said before says nothing about this attempt. The lock is held.
func (s *service) forVerdict() health.State {
	if s.awaited && s.State == health.Healthy {
		return health.Starting
	}
	return s.State
}

func wireState(s health.State) exec.ServiceStatus_State {
	switch s {
	case health.Starting, health.Hindered:
		return exec.ServiceStatus_State_starting
	case health.Healthy:
		return exec.ServiceStatus_State_healthy
	default:
		return exec.ServiceStatus_State_failed
	}
}

// A healthServer serves ServiceHealth, of the system or of a package of apps.
type healthServer struct {
	system *supervisor
	app    string // the package; empty: the system
}

// of returns the supervisor to ask: a package that was gone and has come again has another one.
func (h *healthServer) of() *supervisor {
	if h.app == "" {
		return h.system
	}
	return h.system.apps.of(h.app)
}

// Shutdown is called when the last reference is released.
func (h *healthServer) Shutdown() {
	if h.app != "" {
		h.system.apps.unwatch(h.app)
	}
}

// answerEvery bounds the time without an answer, so that the caller knows that execd is alive.
const answerEvery = 250 * time.Millisecond

// Next returns the state of the services once it has changed since the caller's revision. The caller says which attempt
// is settled.
func (h *healthServer) Next(ctx context.Context, call exec.ServiceHealth_next) error {
	call.Go()
	s := h.of()
	s.settleAttempt(call.Args().Settled())
	if err := s.awaitNews(ctx, call.Args().Known()); err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	res.SetRevision(s.revision)
	res.SetBoot(s.current.boot)
	return fill(res, s.current.quorum, s.services, (*service).forVerdict, nil)
}

// App returns the health of a package of apps.
func (h *healthServer) App(_ context.Context, call exec.ServiceHealth_app) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if h.app != "" || nxb.CheckName(name) != nil {
		return errors.New("cannot report on app: it has no such name")
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetHealth(exec.ServiceHealth_ServerToClient(&healthServer{h.system, name}))
}

// awaitNews waits briefly until there is another revision than the known one.
func (s *supervisor) awaitNews(ctx context.Context, known uint64) error {
	late := s.clock.After(answerEvery)
	for {
		next := s.changed.Next()
		s.mu.Lock()
		news := s.revision != known
		s.mu.Unlock()
		if news {
			return nil
		}
		select {
		case <-next:
		case <-late:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settleAttempt records that the end of a service no longer affects this attempt and those before.
func (s *supervisor) settleAttempt(boot uint64) {
	s.mu.Lock()
	newer := boot > s.settled
	s.settled = max(s.settled, boot)
	s.mu.Unlock()
	if newer {
		s.changed.Notify()
	}
}
