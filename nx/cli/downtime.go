package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"nexus/libupdates/refusal"
)

// lookEvery is the pause between two queries of the services. A downtime is as exact as this pause plus the time of a
// query.
const lookEvery = 2 * time.Millisecond

// The states of a service that its clients may reach, as ServiceStatus names them.
const (
	healthyState  = "healthy"
	startingState = "starting"
)

// available reports whether clients reach a service. A native one has its name once it is healthy. A plain one has its
// sockets as soon as its program runs; the settle time, after which it is healthy, is for the verdict alone.
func (s serviceState) available() bool {
	return s.State == healthyState || s.State == startingState && !s.Native && s.PID != 0
}

// An away is how long a service was not available.
type away struct {
	Service string  `json:"service"`
	AwayMs  float64 `json:"awayMs"`
}

// A downtime queries the services repeatedly and adds up how long each was away: from the last query in which it was
// available to the first in which it is so again, if it is then another process or was not available in between.
type downtime struct {
	end  context.CancelFunc
	over chan struct{} // closed when nobody looks any more

	mu       sync.Mutex
	services map[string]*presence
}

// A presence is what is known of one service.
type presence struct {
	pid    uint32
	seen   time.Time // when it was last available
	missed bool      // a look since then did not find it so
	away   time.Duration
}

// watchServices starts the queries, over a connection of its own, and continues across restarts of the system until ctx
// ends or stop is called. The first query has been answered when it returns. If it is not wanted, the result is nil,
// whose methods do nothing.
func (in *invocation) watchServices(ctx context.Context, wanted bool) (*downtime, error) {
	if !wanted {
		return nil, nil
	}
	ctx, end := context.WithCancel(ctx)
	d := &downtime{services: map[string]*presence{}, end: end, over: make(chan struct{})}
	s, err := in.dial(ctx)
	if err == nil {
		if err = d.look(ctx, s); err != nil {
			s.close()
		}
	}
	if err != nil {
		end()
		return nil, err
	}
	go d.watch(ctx, s)
	return d, nil
}

func (d *downtime) watch(ctx context.Context, s *session) {
	defer close(d.over)
	defer s.close()
	for {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
		err := s.pause(ctx, 0)
		if errors.Is(err, errGone) {
			err = s.comeBack(ctx)
		}
		if err == nil {
			err = d.look(ctx, s)
		}
		if err != nil && ctx.Err() == nil {
			d.note(nil, time.Now())
		}
	}
}

func (d *downtime) look(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	states, err := serviceStates(ctx, &s.facets)
	if err == nil {
		d.note(states, time.Now())
	}
	return err
}

// note records the result of one query.
func (d *downtime) note(states []serviceState, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	there := map[string]uint32{}
	for _, s := range states {
		if s.available() {
			there[s.Name] = s.PID
		}
	}
	for name, pid := range there {
		if d.services[name] == nil {
			d.services[name] = &presence{pid: pid, seen: now}
		}
	}
	for name, p := range d.services {
		pid, is := there[name]
		if !is {
			p.missed = true
			continue
		}
		if p.missed || p.pid != pid {
			p.away += now.Sub(p.seen)
		}
		p.pid, p.seen, p.missed = pid, now, false
	}
}

// allBack reports whether every service has been away and is available again.
func (d *downtime) allBack() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.services {
		if p.missed || p.away == 0 {
			return false
		}
	}
	return true
}

// awaitBack waits until every service has been away and is back; it returns at once if the receiver is nil.
func (d *downtime) awaitBack(ctx context.Context) error {
	if d == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, rebootPatience,
		refusal.New(refusal.Stalled, "not every service was back within %s", rebootPatience))
	defer cancel()
	for !d.allBack() {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// stop ends the queries and returns how long each service that is available now was away, by name.
func (d *downtime) stop() []away {
	if d == nil {
		return nil
	}
	d.end()
	<-d.over
	list := []away{}
	for _, name := range slices.Sorted(maps.Keys(d.services)) {
		if p := d.services[name]; !p.missed {
			list = append(list, away{name, float64(p.away.Microseconds()) / 1000})
		}
	}
	return list
}

func printDowntime(w io.Writer, list []away) {
	for _, a := range list {
		fmt.Fprintf(w, "%s was away for %.0f ms\n", clean(a.Service), a.AwayMs)
	}
}
