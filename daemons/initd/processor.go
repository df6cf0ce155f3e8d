package initd

import (
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// processor knows how the kernel lets services run. A service that is not asked is healthy once it has run for the
// settle time, which execd measures; on a busy machine that may pass while the service waits for a processor. So one
// that had to wait stays in its start for as long again, at most for the settle time, and one that waits right now
// until it runs.
type processor struct {
	of     func(pid int) (plat.Turn, bool) // nil: nothing is known of any
	clock  plat.Clock
	settle time.Duration
	seen   map[int]*turn // by process
}

// A turn is what is known of one process.
type turn struct {
	first  time.Time // when it was first said to be healthy
	owed   time.Duration
	last   plat.Turn
	proven bool
}

// prove takes it back that a service is healthy, unless the kernel has let it run. pids are of the same services.
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

// look looks at a process once more.
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
