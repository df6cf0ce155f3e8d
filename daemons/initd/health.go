package initd

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/libupdates/health"
)

// A keeper takes the system from attempt to attempt. A health.Trial decides what to do; the keeper tells it what
// happens, and does what it says. The keeper's loop never blocks: whatever may take time runs beside it, and its result
// is an event.
type keeper struct {
	s      *system
	of     slotPair
	trial  health.Trial
	events chan health.Event
	doing  sync.WaitGroup
	gate   *gate // used only by what the trial does alone
	ask    serviceQuestion
	said   *lastWords

	suspecting atomic.Bool // a check of the slot runs
}

// watchHealth counts boot attempts, decides their health and delivers the verdicts, until ctx ends. It continues across
// restarts of `updated`: an attempt in progress is not counted again.
func (s *system) watchHealth(ctx context.Context) {
	if !s.awaitStarts(ctx) {
		return
	}
	var apps sync.WaitGroup
	follow := sync.OnceFunc(func() { apps.Go(func() { s.watchApps(ctx) }) }) // the system goes first
	k := s.keeper(s.itself(), s.config.Handed.Attempt, follow)
	k.keep(ctx)
	apps.Wait()
	s.taken.attempted(k.trial.RevokedBefore())
}

// keeper returns the keeper of one slot pair, whose attempt may have begun already. began is called once an attempt
// has begun here.
func (s *system) keeper(of slotPair, begun uint64, began func()) *keeper {
	said := &lastWords{}
	return &keeper{
		s: s, of: of, trial: health.NewTrial(links.Runner, s.config.Policy, begun != 0),
		events: make(chan health.Event), ask: newServiceQuestion(), said: said,
		gate: &gate{s: s, of: of, begun: begun, said: said, began: began, retry: newRetry(s.host.Clock)},
	}
}

// keep takes the slot pair from attempt to attempt until ctx ends.
func (k *keeper) keep(ctx context.Context) {
	k.doing.Go(func() { k.followRecord(ctx) })
	k.doing.Go(func() { k.followServices(ctx) })
	k.take(ctx, k.seen())
	k.run(ctx)
	k.doing.Wait()
}

// run handles one event after another.
func (k *keeper) run(ctx context.Context) {
	clock := k.s.host.Clock
	meter := plat.NewMeter(clock)
	var beat <-chan time.Time // nil while nothing depends on the time
	for {
		if beat == nil && k.trial.Timed() {
			meter, beat = plat.NewMeter(clock), clock.After(plat.Beat)
		}
		changed := k.s.changed.Next()
		k.take(ctx, k.seen())
		select {
		case <-changed:
		case e := <-k.events:
			k.take(ctx, k.seen()) // revocations come before their effects
			k.take(ctx, e)
		case <-beat:
			if beat = nil; k.trial.Timed() {
				beat = clock.After(plat.Beat)
			}
			k.take(ctx, health.Ticked{Ran: meter.Lap()})
		case <-ctx.Done():
			return
		}
	}
}

// seen returns the state of the daemons, the votes, the revocations, and what hinders this machine.
func (k *keeper) seen() health.Seen {
	seen := health.Seen{Core: k.s.core(), Revoked: k.s.taken.all(), Hindrance: k.s.config.hindrance()}
	if k.of.app == "" {
		seen.Votes = k.s.ballot.votes() // they are on the system
	}
	return seen
}

// take gives the trial an event, and does what follows.
func (k *keeper) take(ctx context.Context, e health.Event) {
	var do health.Action
	k.trial, do = k.trial.After(e)
	k.ask.set(k.trial.Settled(), k.trial.Listens() || k.trial.Decided())
	switch do.Do {
	case health.Nothing:
	case health.Hold:
		k.gate.log().Warn("boots keep ending without an order: the next attempt waits", "pause", do.Pause)
	default:
		k.doing.Go(func() { k.tell(ctx, k.gate.do(ctx, do)) })
	}
}

// tell sends an event to the loop.
func (k *keeper) tell(ctx context.Context, e health.Event) {
	select {
	case k.events <- e:
	case <-ctx.Done():
	}
}

// followRecord reports each change of the record until ctx ends.
func (k *keeper) followRecord(ctx context.Context) {
	k.of.status.each(ctx, func(ctx context.Context, client capnp.Client) {
		for retry := newRetry(k.s.host.Clock); ; {
			err := k.observe(ctx, update.UpdateStatus(client))
			if !retry.rest(ctx) {
				return // updated is restarting
			}
			k.s.log.Warn("cannot follow the record", "error", err)
		}
	})
}

// observe reports changes until the subscription ends.
func (k *keeper) observe(ctx context.Context, status update.UpdateStatus) error {
	return updateclient.Follow(ctx, status, func(now updateclient.Status) bool {
		k.tell(ctx, health.Recorded{Boot: now.Boot, Pause: milliseconds(now.PauseMs)})
		return false
	})
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
