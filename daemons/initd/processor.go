package initd

import (
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// A processor knows how much services run. A service that has no health check is healthy once it has been up for the
// settle time, which execd measures; on a busy machine it may spend that time waiting for a processor. So a service
// that had to wait counts as starting for as long again, at most for the settle time, and one that waits right now
// counts as starting until it runs.
type processor struct {
	of     func(pid int) (plat.Turn, bool) // nil: nothing is known
	clock  plat.Clock
	settle time.Duration
	seen   map[int]*turn // by process
}

// A turn is what is known of one process.
type turn struct {
	first  time.Time // when it was first reported as healthy
	owed   time.Duration
	last   plat.Turn
	proven bool
}

// prove takes back that a service is healthy, until it has had a processor. pids are of the same services.
func (t *processor) prove(services []health.Watched, pids []int) {
	if t.of == nil {
		return
	}
	seen := map[int]*turn{}
	for i, s := range services {
		if s.State != health.Healthy || s.Native || pids[i] == 0 {
			continue
		}
		one := t.look(pids[i])
		seen[pids[i]] = one
		if !one.proven {
			services[i].State, services[i].Detail = health.Starting, "waits for a processor"
		}
	}
	t.seen = seen
}

// look updates what is known of a process.
func (t *processor) look(pid int) *turn {
	now, known := t.of(pid)
	one := t.seen[pid]
	if one == nil {
		one = &turn{first: t.clock.Now(), owed: min(now.Waited, t.settle)}
		one.proven = !known || !now.Runnable && one.owed <= t.settle/10
	} else if !one.proven {
		runs := !now.Runnable || now.Ran > one.last.Ran
		one.proven = !known || runs && t.clock.Now().Sub(one.first) >= one.owed
	}
	one.last = now
	return one
}
