package initd

import (
	"context"
	"sync"
	"time"

	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// A keeper takes the system from attempt to attempt. What is to be done a health.Trial decides; the keeper tells it
// what happens and does what it says. Its loop waits for nobody: whatever may take time is done beside it, and comes
// back as an event.
type keeper struct {
	s      *system
	trial  health.Trial
	events chan health.Event
	doing  sync.WaitGroup
	gate   *gate // what is done alone uses it
	ask    serviceQuestion
	said   *lastWords
}

// watchHealth counts boot attempts, gathers the verdict on each and delivers it, until ctx ends. It goes on over all
// instances of `updated`: an attempt that was under way is not counted again.
func (s *system) watchHealth(ctx context.Context) {
	if !s.awaitStarts(ctx) {
		return
	}
	begun := s.config.Handed.Attempt
	said := &lastWords{}
	k := &keeper{
		s: s, trial: health.NewTrial(links.Runner, s.config.Policy, begun != 0), events: make(chan health.Event),
		gate: &gate{s: s, begun: begun, said: said}, ask: newServiceQuestion(), said: said,
	}
	k.doing.Go(func() { k.followRecord(ctx) })
	k.doing.Go(func() { k.followServices(ctx) })
	k.take(ctx, k.seen())
	k.run(ctx)
	k.doing.Wait()
	s.taken.attempted(k.trial.RevokedBefore())
}

// run takes one event after another.
func (k *keeper) run(ctx context.Context) {
	clock := k.s.host.Clock
	meter := plat.NewMeter(clock)
	var beat <-chan time.Time // nil while nothing depends on how time goes by
	for {
		if beat == nil && k.trial.Timed() {
			meter, beat = plat.NewMeter(clock), clock.After(plat.Beat)
		}
		changed := k.s.changed.Next()
		k.take(ctx, k.seen())
		select {
		case <-changed:
		case e := <-k.events:
			k.take(ctx, k.seen()) // what was revoked comes before what comes of it
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

// seen is how the daemons are, what was voted, what was revoked, and what hinders this machine.
func (k *keeper) seen() health.Seen {
	return health.Seen{
		Core: k.s.core(), Votes: k.s.ballot.votes(), Revoked: k.s.taken.all(), Hindrance: k.s.config.hindrance(),
	}
}

// take has the trial take an event, and does what follows.
func (k *keeper) take(ctx context.Context, e health.Event) {
	var do health.Action
	k.trial, do = k.trial.After(e)
	k.ask.set(k.trial.Settled(), k.trial.Listens())
	switch do.Do {
	case health.Nothing:
	case health.Hold:
		k.s.log.Warn("boots end without an order: the next attempt waits", "pause", do.Pause)
	default:
		k.doing.Go(func() { k.tell(ctx, k.gate.do(ctx, do)) })
	}
}

// tell hands an event to the loop.
func (k *keeper) tell(ctx context.Context, e health.Event) {
	select {
	case k.events <- e:
	case <-ctx.Done():
	}
}

// rest waits a little before something that failed is done again, and reports whether it is to be.
func rest(ctx context.Context, clock plat.Clock) bool {
	select {
	case <-clock.After(firstPause):
		return true
	case <-ctx.Done():
		return false
	}
}
