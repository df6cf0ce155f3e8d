package bootctl_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

var whole = flag.Bool("whole-model", false, "search the two largest models too, which takes minutes")

// counts are what a search must come by: a change of the machine must show.
type counts struct{ states, steps, refusals, records, copies int }

// TestModel goes breadth first through every state that a device can reach, with every operation accepted or refused,
// every write durable, half done, or done and denied, every death of the record's owner, every cut, and one fault of
// the medium. It holds every invariant against every state and every step, and reads every record and every pair of
// copies as a device would.
func TestModel(t *testing.T) {
	for _, c := range []struct {
		machine
		when bool
		want counts
	}{
		{machine{name: "one set", disk: true, sets: 1, tries: 2, rot: true}, true,
			counts{14991, 237186, 39081, 155, 1623}},
		{machine{name: "record in memory", sets: 2, tries: 2}, !testing.Short(),
			counts{93820, 1532856, 424856, 433, 4694}},
		{machine{name: "version floor", sets: 2, tries: 1, floor: true}, !testing.Short(),
			counts{92168, 1507433, 403695, 539, 5571}},
		{machine{name: "record on disk", disk: true, sets: 2, tries: 2}, !testing.Short(),
			counts{176380, 3138128, 558403, 1059, 12171}},
		{machine{name: "floor and damage", sets: 2, tries: 1, floor: true, rot: true}, *whole,
			counts{269064, 3820876, 940711, 1802, 17865}},
		{machine{name: "three sets", sets: 3, tries: 2}, *whole, counts{813342, 13667623, 3855577, 2110, 27784}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.when {
				t.Skip("not asked for")
			}
			t.Parallel()
			s := newSearch(c.machine)
			s.run(t)
			s.report(t, c.want)
			t.Run("encoding", s.encoding)
			t.Run("old reads new", s.oldReadsNew)
			t.Run("new reads old", s.newReadsOld)
			if c.disk {
				t.Run("copies", s.readCopies)
			}
		})
	}
}

// A search goes through the states of one machine.
type search struct {
	machine
	seen    map[deviceKey]bool
	records map[recordKey]bootctl.Record
	copies  map[copiesKey]device
	steps   int
	refused map[refusal.Reason]int
	states  []invariant[device]
	moves   []invariant[*step]
}

func newSearch(m machine) *search {
	return &search{
		machine: m, seen: map[deviceKey]bool{}, records: map[recordKey]bootctl.Record{}, copies: map[copiesKey]device{},
		refused: map[refusal.Reason]int{},
		states:  ofStates(m), moves: ofSteps(),
	}
}

// A way is the last step to a state, and the way before it.
type way struct {
	last string
	from *way
}

// then is the way that goes on with a step.
func (w *way) then(s *step) *way { return &way{s.name + " (" + s.outcome.String() + ")", w} }

// String tells the steps, one line each.
func (w *way) String() string {
	var steps []string
	for ; w != nil; w = w.from {
		steps = append(steps, w.last)
	}
	slices.Reverse(steps)
	return strings.Join(steps, "\n  ")
}

// A place is a state that is still to be left, and the way to it.
type place struct {
	device
	*way
}

// run visits every state and stops at the first violation, which breadth first is one with the shortest way.
func (s *search) run(t *testing.T) {
	t.Helper()
	first := start()
	s.seen[first.key()] = true
	for level := []place{{first, &way{last: "start"}}}; len(level) > 0; {
		var next []place
		for _, at := range level {
			next = append(next, s.leave(t, at)...)
		}
		level = next
	}
}

// leave takes every step from a place and returns the places that are new.
func (s *search) leave(t *testing.T, at place) []place {
	t.Helper()
	s.records[keyOf(at.kept)] = at.kept
	s.copies[at.copiesKey()] = at.device
	var reached []place
	at.device.moves(s.machine, func(move *step) {
		s.steps++
		for _, i := range s.moves {
			if !i.holds(move) {
				t.Fatalf("violated: %s\n  %s\nbefore %+v\nafter  %+v", i.says, at.then(move), at.key(), move.after.key())
			}
		}
		if move.err != nil {
			s.refused[refusal.Of(move.err)]++
			return
		}
		key := move.after.key()
		if s.seen[key] {
			return
		}
		s.seen[key] = true
		to := at.then(move)
		for _, i := range s.states {
			if !i.holds(move.after) {
				t.Fatalf("violated: %s\n  %s\nstate %+v", i.says, to, key)
			}
		}
		reached = append(reached, place{move.after, to})
	})
	return reached
}

// report says how much was searched, and holds it against what is known.
func (s *search) report(t *testing.T, want counts) {
	got := counts{len(s.seen), s.steps, sum(s.refused), len(s.records), len(s.copies)}
	t.Logf("%d states, %d steps, %d of them refused; %d records in %d pairs of copies; %d invariants of a state, %d of a step",
		got.states, got.steps, got.refusals, got.records, got.copies, len(s.states), len(s.moves))
	for _, reason := range slices.Sorted(maps.Keys(s.refused)) {
		t.Logf("refused as %s: %d", reason, s.refused[reason])
	}
	if got != want {
		t.Errorf("the search came by %+v, want %+v", got, want)
	}
}

func sum(of map[refusal.Reason]int) int {
	total := 0
	for _, n := range of {
		total += n
	}
	return total
}
