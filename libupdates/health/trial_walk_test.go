package health_test

import (
	"fmt"
	"testing"

	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// A place is a trial with what the walk knows of its story.
type place struct {
	trial     health.Trial
	waits     health.Do   // the action that is not answered yet
	verdict   health.Do   // that was given on the current attempt; it stands until it is answered
	seen      health.Seen // the last
	report    uint64      // the attempt whose services the reporter calls healthy; 0: none
	life      uint64      // of the reporter
	healthy   bool        // its services were, since the attempt began or was rejected
	committed bool
	boot      uint64 // the current attempt
	step      int
}

// maxSteps and maxBoot bound the walk.
const (
	maxSteps = 5
	maxBoot  = 2
)

// events are all that may happen in a place.
func (p place) events() []health.Event {
	all := []health.Event{
		health.Recorded{Boot: p.boot}, health.Recorded{Boot: p.boot + 1},
		ready, dead(), voted(p.boot, health.Yes), voted(p.boot, health.No), voted(p.boot+1, health.Yes),
		says(health.Starting, of(p.boot), inLife(p.life)), says(health.Healthy, of(p.boot), inLife(p.life)),
		says(health.Exited, of(p.boot), inLife(p.life)), says(health.Healthy, of(p.boot+1), inLife(p.life)),
		says(health.Healthy, of(p.boot), inLife(p.life), after(3, 0)), health.Unreported{}, second,
	}
	attempt := health.Attempt{Boot: p.boot + 1, Policy: policy()}
	onTrial, broken := attempt, attempt
	onTrial.Trial, broken.Reason = true, refusal.PublishFailed
	switch p.waits {
	case health.Begin:
		all = append(all, health.Began{Attempt: attempt}, health.Began{Attempt: onTrial}, health.Began{Attempt: broken},
			health.Undone{})
	case health.Commit:
		all = append(all, health.Confirmed{Watched: true}, health.Confirmed{}, health.TooLate{}, health.Undone{})
	case health.Fail:
		all = append(all, health.Rejected{}, health.Rejected{Stays: true}, health.TooLate{}, health.Undone{})
	case health.EndWatch:
		all = append(all, health.WatchEnded{}, health.Undone{})
	}
	return all
}

// after is the place after an event; an error says which promise was broken on the way.
func (p place) after(e health.Event) (place, error) {
	settled, answers := p.trial.Settled(), false
	switch e := e.(type) {
	case health.Began:
		p.boot, p.committed, p.verdict, answers = e.Boot, false, health.Nothing, true
		p.healthy = p.report == p.boot
	case health.Confirmed:
		p.committed, p.verdict, answers = true, health.Nothing, true
	case health.Rejected:
		p.healthy, p.verdict, answers = p.report == p.boot, health.Nothing, true
	case health.TooLate, health.WatchEnded, health.Undone:
		answers = true
	case health.Seen:
		p.seen = e
	case health.Unreported:
		p.life, p.report = p.life+1, 0
	case health.Reported:
		p.report = 0
		if e.Services[0].State == health.Healthy {
			p.report = e.Boot
		}
		p.healthy = p.healthy || p.report == p.boot && p.boot != 0
	}
	if answers {
		p.waits = health.Nothing
	}
	trial, do := p.trial.After(e)
	p.trial = trial
	p.step++
	switch {
	case do.Do != health.Nothing && p.waits != health.Nothing:
		return p, fmt.Errorf("%+v is asked for while %d is not answered", do, p.waits)
	case trial.Settled() < settled || trial.Settled() > p.boot:
		return p, fmt.Errorf("settled goes from %d to %d in attempt %d", settled, trial.Settled(), p.boot)
	}
	if do.Do != health.Hold {
		p.waits = max(p.waits, do.Do)
	}
	return p, p.judge(&p, do)
}

// judge holds an action against what is known.
func (place) judge(p *place, do health.Action) error {
	switch do.Do {
	case health.Commit:
		if p.verdict == health.Nothing && !(p.healthy && p.allReady() && p.noVoteAgainst()) {
			return fmt.Errorf("committed without being healthy")
		}
	case health.Fail:
		if do.Reason == "" || do.Boot != p.boot {
			return fmt.Errorf("failed as %+v", do)
		}
	case health.EndWatch:
		if !p.committed {
			return fmt.Errorf("held without a commit")
		}
	}
	if do.Do == health.Commit || do.Do == health.Fail {
		if p.verdict != health.Nothing && p.verdict != do.Do {
			return fmt.Errorf("verdict %d becomes %d", p.verdict, do.Do)
		}
		p.verdict = do.Do
	}
	return nil
}

func (p place) allReady() bool {
	for _, d := range p.seen.Core {
		if !d.Ready {
			return false
		}
	}
	return true
}

func (p place) noVoteAgainst() bool {
	for _, v := range p.seen.Votes {
		if v.Boot != p.boot || v.Choice != health.Yes {
			return false
		}
	}
	return true
}

// ends reports whether time alone leads to an action, in a place where a verdict is waited for. Nobody answers
// anything.
func (p place) ends() error {
	trial := p.trial
	bound := int((2*policy().Deadline+policy().Hang)/second.Ran) + 2
	for range bound {
		next, do := trial.After(second)
		if do.Do != health.Nothing {
			return nil
		}
		trial = next
	}
	return fmt.Errorf("no action after %d seconds", bound)
}

// starts are where the walk begins: at a boot, in a trial, under watch, and after a verdict with nothing to return to.
func starts(t *testing.T) []place {
	t.Helper()
	attempt := health.Attempt{Boot: 1, Policy: policy()}
	onTrial := attempt
	onTrial.Trial = true
	says := func(state health.State) health.Event { return says(state, of(1)) }
	var all []place
	for _, story := range [][]health.Event{
		{},
		{ready, health.Recorded{Boot: 1}, health.Began{Attempt: onTrial}},
		{ready, health.Recorded{Boot: 1}, health.Began{Attempt: onTrial}, says(health.Healthy),
			health.Confirmed{Watched: true}},
		{ready, health.Recorded{Boot: 1}, health.Began{Attempt: attempt}, says(health.Exited),
			health.Rejected{Stays: true}},
	} {
		p := place{trial: health.NewTrial(reporter, policy(), false), life: 1}
		for _, e := range story {
			var err error
			if p, err = p.after(e); err != nil {
				t.Fatal(err)
			}
		}
		p.step = 0
		all = append(all, p)
	}
	return all
}

// TestWalkOfTrials goes through every sequence of events there is, up to a length, and holds each step against what a
// trial promises.
func TestWalkOfTrials(t *testing.T) {
	visited := map[string]bool{}
	queue := starts(t)
	steps := 0
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if p.waits == health.Nothing && p.trial.Gathers() {
			if err := p.ends(); err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
		}
		if p.step == maxSteps {
			continue
		}
		for _, e := range p.events() {
			next, err := p.after(e)
			if err != nil {
				t.Fatalf("after %+v in %+v: %v", e, p, err)
			}
			steps++
			key := next
			key.step = 0
			if name := fmt.Sprintf("%+v", key); next.boot <= maxBoot && next.life <= 2 && !visited[name] {
				visited[name] = true
				queue = append(queue, next)
			}
		}
	}
	t.Logf("%d steps, %d places", steps, len(visited))
}
