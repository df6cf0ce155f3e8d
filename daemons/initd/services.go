package initd

import (
	"context"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/exec"
	"nexus/capnpgen/update"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// A serviceQuestion says what to ask execd, if anything.
type serviceQuestion struct {
	changed *vat.Notifier

	mu      sync.Mutex
	settled uint64 // the newest attempt that is decided
	listens bool   // whether the state of services matters
}

func newServiceQuestion() serviceQuestion { return serviceQuestion{changed: vat.NewNotifier()} }

func (q *serviceQuestion) set(settled uint64, listens bool) {
	q.mu.Lock()
	news := q.settled != settled || q.listens != listens
	q.settled, q.listens = settled, listens
	q.mu.Unlock()
	if news {
		q.changed.Notify()
	}
}

// next waits until there is something to ask or to tell an instance of execd, which was told up to this attempt.
func (q *serviceQuestion) next(ctx context.Context, told uint64) (settled uint64, err error) {
	for {
		changed := q.changed.Next()
		q.mu.Lock()
		settled, listens := q.settled, q.listens
		q.mu.Unlock()
		if listens || settled != told {
			return settled, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// followServices reports the state of services, across restarts of execd, until ctx ends.
func (k *keeper) followServices(ctx context.Context) {
	var life uint64
	k.of.services.each(ctx, func(connected context.Context, client capnp.Client) {
		life++
		err := k.hear(connected, exec.ServiceHealth(client), life)
		k.tell(ctx, health.Unreported{})
		if connected.Err() == nil && !vat.Disconnected(err) {
			k.s.log.Warn("cannot follow the services", "error", err)
		}
	})
}

// hear asks one instance of execd again and again.
func (k *keeper) hear(ctx context.Context, services exec.ServiceHealth, life uint64) error {
	var known, told uint64
	waits := processor{of: k.s.config.turnOf, clock: k.s.host.Clock, settle: k.s.config.Policy.SettleTime}
	for {
		settled, err := k.ask.next(ctx, told)
		if err != nil {
			return err
		}
		r, revision, err := k.report(ctx, services, known, settled, &waits)
		if err != nil {
			return err
		}
		r.Life = life
		k.tell(ctx, r)
		known, told = revision, settled
	}
}

// report asks once for the state of services, unless it is known.
func (k *keeper) report(
	ctx context.Context, services exec.ServiceHealth, known, settled uint64, waits *processor,
) (r health.Reported, revision uint64, err error) {
	answer, release := services.Next(ctx, func(p exec.ServiceHealth_next_Params) error {
		p.SetKnown(known)
		p.SetSettled(settled)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return r, 0, err
	}
	list, err := res.Services()
	if err != nil {
		return r, 0, err
	}
	r.Boot, r.Quorum = res.Boot(), int(res.Quorum())
	var pids []int
	for i := range list.Len() {
		service, err := watchedService(list.At(i))
		if err != nil {
			return r, 0, err
		}
		r.Services, pids = append(r.Services, service), append(pids, int(list.At(i).Pid()))
	}
	if damaged(list) {
		k.suspect(ctx, r.Boot)
	}
	waits.prove(r.Services, pids)
	if err := k.said.note(list); err != nil {
		return r, 0, err
	}
	return r, res.Revision(), nil
}

// damaged reports whether a service met bytes that are not what was signed.
func damaged(list exec.ServiceStatus_List) bool {
	for i := range list.Len() {
		if list.At(i).Damaged() {
			return true
		}
	}
	return false
}

// suspect has the slot of an attempt checked to the last byte. One check runs at a time: until its outcome is in the
// record, the services keep saying the same.
func (k *keeper) suspect(ctx context.Context, boot uint64) {
	if !k.suspecting.CompareAndSwap(false, true) {
		return
	}
	k.doing.Go(func() {
		defer k.suspecting.Store(false)
		if err := k.s.suspect(ctx, boot); err != nil && ctx.Err() == nil {
			k.s.log.Warn("cannot check the slot", "error", err)
		}
	})
}

func (s *system) suspect(ctx context.Context, boot uint64) error {
	client, err := s.holdings["HealthGate"].Get(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	answer, release := update.HealthGate(client).Suspect(ctx, func(p update.HealthGate_suspect_Params) error {
		p.SetBoot(boot)
		return nil
	})
	defer release()
	_, err = answer.Struct()
	return err
}

func watchedService(m exec.ServiceStatus) (w health.Watched, err error) {
	if w.Name, err = m.Name(); err != nil {
		return w, err
	}
	if w.Version, err = m.Version(); err != nil {
		return w, err
	}
	reason, err := m.Reason()
	if err != nil {
		return w, err
	}
	if w.Detail, err = m.Detail(); err != nil {
		return w, err
	}
	w.Last, err = m.LastFailure()
	w.Restarts, w.Lapses, w.Optional, w.Native = m.Restarts(), m.Lapses(), m.Optional(), m.Native()
	switch m.State() {
	case exec.ServiceStatus_State_healthy:
		w.State = health.Healthy
	case exec.ServiceStatus_State_starting:
		w.State = health.Starting
		if refusal.Reason(reason) == refusal.Hindered {
			w.State = health.Hindered
		}
	default:
		w.State = health.FailedState(refusal.Reason(reason))
	}
	return w, err
}
