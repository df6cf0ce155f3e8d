package initd

import (
	"context"
	"sync"
	"time"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
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

	ask serviceQuestion

	// What is done changes these, one thing at a time.
	// an attempt that was counted already: by the core before, or by this one, which could not hand over for it yet
	begun uint64
	slot  bootrecord.Slot // of the current attempt
}

// watchHealth counts boot attempts, gathers the verdict on each and delivers it, until ctx ends. It goes on over all
// lives of `updated`: an attempt that was under way is not counted again.
func (s *system) watchHealth(ctx context.Context) {
	begun := s.config.Handed.Attempt
	k := &keeper{
		s: s, trial: health.NewTrial(links.Runner, s.config.Policy, begun != 0), events: make(chan health.Event),
		begun: begun,
		ask:   newServiceQuestion(),
	}
	k.doing.Go(func() { k.followRecord(ctx) })
	k.doing.Go(func() { k.followServices(ctx) })
	k.take(ctx, k.seen())
	k.run(ctx)
	k.doing.Wait()
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

// seen is how the daemons are and what was voted.
func (k *keeper) seen() health.Seen {
	return health.Seen{Core: k.s.core(), Votes: k.s.ballot.votes()}
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
		k.doing.Go(func() { k.tell(ctx, k.do(ctx, do)) })
	}
}

// tell hands an event to the loop.
func (k *keeper) tell(ctx context.Context, e health.Event) {
	select {
	case k.events <- e:
	case <-ctx.Done():
	}
}

// rest waits a little before something that failed is done again, and tells whether it is to be.
func (k *keeper) rest(ctx context.Context) bool {
	select {
	case <-k.s.host.Clock.After(firstPause):
		return true
	case <-ctx.Done():
		return false
	}
}

// attemptOf is an attempt as updated has counted it, under the policy of the device and of the set.
func (k *keeper) attemptOf(a update.Attempt) health.Attempt {
	return health.Attempt{
		Boot: a.Boot(), Trial: a.Trial(), Abrupt: a.AbruptEnds() > 0,
		Policy: k.s.config.Policy.With(milliseconds(a.DeadlineMs()), milliseconds(a.WatchMs())),
	}
}
