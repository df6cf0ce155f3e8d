package execd

import (
	"context"

	"nexus/capnpgen/exec"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// A watchServer is ServiceWatch.
type watchServer struct {
	s *supervisor
}

// List tells how the services are.
func (w *watchServer) List(_ context.Context, call exec.ServiceWatch_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	res.SetQuorum(uint16(w.s.current.quorum))
	list, err := res.NewServices(int32(len(w.s.services) + len(w.s.stuck)))
	if err != nil {
		return err
	}
	for i, service := range w.s.services {
		if err := service.fill(list.At(i)); err != nil {
			return err
		}
	}
	for i, stuck := range w.s.stuck {
		if err := stuck.fill(list.At(len(w.s.services) + i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) fill(m exec.ServiceStatus) error {
	m.SetState(wireState(s.State))
	m.SetNative(s.Native)
	m.SetOptional(s.Optional)
	m.SetPid(uint32(s.pid))
	m.SetRestarts(s.restarts)
	m.SetSlot(s.spec.slot)
	if err := m.SetName(s.spec.name); err != nil {
		return err
	}
	if err := m.SetVersion(s.spec.version); err != nil {
		return err
	}
	return m.SetDetail(s.Detail)
}

func wireState(s health.State) exec.ServiceStatus_State {
	switch s {
	case health.Starting:
		return exec.ServiceStatus_State_starting
	case health.Healthy:
		return exec.ServiceStatus_State_healthy
	default:
		return exec.ServiceStatus_State_failed
	}
}

// Verdict waits until the services of one boot attempt are as healthy as their set asks, or can no longer be.
func (w *watchServer) Verdict(ctx context.Context, call exec.ServiceWatch_verdict) error {
	call.Go()
	v, err := w.s.awaitVerdict(ctx, call.Args().Boot())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetOk(v.Outcome == health.OK)
	if err := res.SetReason(string(v.Reason)); err != nil {
		return err
	}
	return res.SetDetail(v.Detail)
}

func (s *supervisor) awaitVerdict(ctx context.Context, boot uint64) (health.Verdict, error) {
	for {
		next := s.changed.Next()
		if v := s.judge(boot); v.Outcome != health.Waiting {
			return v, nil
		}
		if err := await(ctx, next); err != nil {
			return health.Verdict{}, err
		}
	}
}

// judge tells the verdict on the services of a boot attempt. What was told once is final: from then on a service that ends is started
// again.
func (s *supervisor) judge(boot uint64) health.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current.boot > boot:
		return health.Verdict{Outcome: health.Failed, Reason: refusal.Superseded, Detail: "another attempt began"}
	case s.current.boot < boot:
		return health.Verdict{Outcome: health.Waiting}
	}
	services := make([]health.Service, len(s.services))
	for i, service := range s.services {
		services[i] = service.Service
	}
	v := health.Judge(nil, services, s.current.quorum, nil)
	if v.Outcome != health.Waiting {
		s.deliver()
	}
	return v
}

// deliver notes that the verdict was told. The lock is held.
func (s *supervisor) deliver() {
	if !s.delivered {
		s.delivered = true
		s.changed.Notify()
	}
}
