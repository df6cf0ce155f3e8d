package chaos_test

import (
	"sync"
	"time"
)

// A tally counts what was done for one flow; many may count at a time.
type tally struct {
	mu         sync.Mutex
	operations int // of the flow undisturbed, the looking ones too
	changes    int // those of them that change something: the places of a first cut
	faults     int // operations times ways to fail
	outcomes   int // cuts times disk states, those too that were seen before
	states     int // different ones, each of them started
	runs       int // flows gone through and starts
	broken     []failure
	took       time.Duration
}

// A failure is a violation and the course that leads to it.
type failure struct {
	course string
	violation
}

// count changes the tally.
func (t *tally) count(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

// ran counts one run and keeps what it broke.
func (t *tally) ran(c course, d *device) {
	t.count(func() {
		t.runs++
		for _, v := range d.broken {
			t.broken = append(t.broken, failure{c.String(), v})
		}
	})
	d.broken = nil
}

// add adds up another tally.
func (t *tally) add(o *tally) {
	t.operations += o.operations
	t.changes += o.changes
	t.faults += o.faults
	t.outcomes += o.outcomes
	t.states += o.states
	t.runs += o.runs
	t.broken = append(t.broken, o.broken...)
	t.took += o.took
}
