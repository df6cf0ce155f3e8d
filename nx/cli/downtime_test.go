package cli

import (
	"slices"
	"testing"
	"time"
)

// TestDowntime shows looks, a millisecond apart, and how long services were away by them.
func TestDowntime(t *testing.T) {
	well := func(name string, pid uint32) serviceState {
		return serviceState{Name: name, PID: pid, State: healthyState}
	}
	starting := func(name string, pid uint32) serviceState {
		return serviceState{Name: name, PID: pid, State: "starting", Native: true}
	}
	settling := func(name string, pid uint32) serviceState {
		return serviceState{Name: name, PID: pid, State: "starting"}
	}
	look := func(states ...serviceState) []serviceState { return states }
	for _, c := range []struct {
		name  string
		looks [][]serviceState // nil: the look failed
		want  []away
	}{
		{"it stays", [][]serviceState{look(well("a", 1)), look(well("a", 1)), look(well("a", 1))}, []away{{"a", 0}}},
		{"another process from one look to the next", [][]serviceState{look(well("a", 1)), look(well("a", 2))},
			[]away{{"a", 1}}},
		{"it starts for a while", [][]serviceState{look(well("a", 1)), look(starting("a", 2)), look(starting("a", 2)),
			look(well("a", 2))}, []away{{"a", 3}}},
		{"a plain one settles", [][]serviceState{look(well("a", 1)), look(settling("a", 0)), look(settling("a", 2)),
			look(well("a", 2))}, []away{{"a", 2}}},
		{"the same number after a reboot", [][]serviceState{look(well("a", 1)), nil, nil, look(well("a", 1))},
			[]away{{"a", 3}}},
		{"twice", [][]serviceState{look(well("a", 1)), nil, look(well("a", 2)), look(well("a", 2)), look(),
			look(well("a", 3))}, []away{{"a", 4}}},
		{"one of two", [][]serviceState{look(well("b", 2), well("a", 1)), look(well("b", 2), starting("a", 3)),
			look(well("b", 2), well("a", 3))},
			[]away{{"a", 2}, {"b", 0}}},
		{"one that the new set does not have", [][]serviceState{look(well("a", 1), well("b", 2)), look(well("a", 3))},
			[]away{{"a", 1}}},
		{"one that the old set did not have", [][]serviceState{look(well("a", 1)), look(well("a", 1), well("b", 2))},
			[]away{{"a", 0}, {"b", 0}}},
	} {
		d := &downtime{services: map[string]*presence{}, end: func() {}, over: make(chan struct{})}
		close(d.over)
		start := time.Unix(0, 0)
		for i, states := range c.looks {
			d.note(states, start.Add(time.Duration(i)*time.Millisecond))
		}
		if got := d.stop(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestAllBack waits for services that were away, and only for those that were there.
func TestAllBack(t *testing.T) {
	d := &downtime{services: map[string]*presence{}}
	well := []serviceState{{Name: "a", PID: 1, State: healthyState}}
	for i, c := range []struct {
		states []serviceState
		want   bool
	}{{well, false}, {well, false}, {nil, false}, {well, true}} {
		d.note(c.states, time.Unix(int64(i), 0))
		if got := d.allBack(); got != c.want {
			t.Errorf("look %d: got %t, want %t", i, got, c.want)
		}
	}
}
