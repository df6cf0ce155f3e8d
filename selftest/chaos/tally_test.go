package chaos_test

import (
	"sync"
	"time"
)

// A tally counts the runs of one flow. It is safe for concurrent use.
type tally struct {
	mu         sync.Mutex
	operations int // of the undisturbed flow, including reads
	changes    int // those that change something: the places for a first cut
	faults     int // operations times ways to fail
	outcomes   int // cuts times disk states, including states seen before
	states     int // distinct states, each of which was started
	runs       int // flows and starts
	broken     []failure
	took       time.Duration
}

// A failure is a violation and the course that led to it.
type failure struct {
	course string
	violation
}

// count changes the tally under its lock.
func (t *tally) count(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

// ran counts one run and records its violations.
func (t *tally) ran(c course, d *device) {
	t.count(func() {
		t.runs++
		for _, v := range d.broken {
			t.broken = append(t.broken, failure{c.String(), v})
		}
	})
	d.broken = nil
}

// add adds another tally.
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
