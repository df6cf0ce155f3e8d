package switchover_test

import (
	"flag"
	"fmt"
	"testing"

	"nexus/libupdates/bundlestate"
	"nexus/libupdates/switchover"
)

var wholeModel = flag.Bool("whole-model", false, "go through sequences of four publications, not of three")

// An instance is one run of a service in the model.
type instance struct {
	switchover.Running
	after   []int // instances that it waits for, by number
	started bool
	ended   bool
}

// A model is the daemon that runs services, with all that ever ran.
type model struct {
	all     []instance
	current map[string]int // by name, the number of the instance that is the service
}

// sets are all sets of two services, of which each may be left out, and comes in two versions. Both ask for port 80 in
// their second version, so a set has at most one of these.
func sets() (all [][]switchover.Service) {
	for a := range byte(3) {
		for b := range byte(3) {
			if a == 2 && b == 2 {
				continue
			}
			var set []switchover.Service
			for i, version := range []byte{a, b} {
				if version == 0 {
					continue
				}
				s := switchover.Service{Name: string(rune('a' + i)), Of: bundlestate.Identity{version}, User: uint32(i)}
				if version == 2 {
					s.Powers = []string{"net.listen:tcp/80"}
				}
				set = append(set, s)
			}
			all = append(all, set)
		}
	}
	return all
}

// publish carries a plan out.
func (m *model) publish(set []switchover.Service) error {
	var running []switchover.Running
	var numbers []int
	for n, one := range m.all {
		if !one.ended {
			running, numbers = append(running, one.Running), append(numbers, n)
		}
	}
	plan := switchover.PlanFor(running, set)
	next := map[string]int{}
	for i, step := range plan.Next {
		if step.Keep != switchover.None {
			next[set[i].Name] = numbers[step.Keep]
			continue
		}
		one := instance{Running: switchover.Running{Service: set[i], Holds: true}}
		for _, j := range step.After {
			one.after = append(one.after, numbers[j])
		}
		next[set[i].Name] = len(m.all)
		m.all = append(m.all, one)
	}
	for name, n := range m.current {
		same := false
		for _, s := range set {
			same = same || s.Name == name && s.Same(m.all[n].Service)
		}
		if well := m.all[n].Healthy && !m.all[n].ended; well && same && next[name] != n {
			return fmt.Errorf("service %s is the same and healthy, and does not go on", name)
		}
	}
	for _, n := range numbers {
		if next[m.all[n].Name] != n {
			m.all[n].Ending, m.all[n].Healthy = true, false
		}
	}
	m.current = next
	return nil
}

// step lets one instance move: start, once what it waits for has ended, become healthy, fail, or end.
func (m *model) step(n, what int) (moved bool) {
	one := &m.all[n]
	switch {
	case one.ended:
		return false
	case one.Ending:
		for _, before := range one.after { // it ends after what it had to wait for
			if !m.all[before].ended {
				return false
			}
		}
		one.ended = true
	case !one.started:
		for _, before := range one.after {
			if !m.all[before].ended {
				return false
			}
		}
		one.started = true
	default:
		one.Healthy = what == 0
	}
	return true
}

// check wants no two instances to run at the same time that exclude each other, and at most one of each name to be the
// service.
func (m *model) check() error {
	for i, one := range m.all {
		for _, other := range m.all[:i] {
			if one.started && !one.ended && other.started && !other.ended && clash(one.Service, other.Service) {
				return fmt.Errorf("%+v and %+v run at the same time", one.Service, other.Service)
			}
		}
	}
	return nil
}

// TestModel goes through every sequence of publications, and between each two through every way in which the instances
// may have moved on: none, some, or all of them, to health or to failure.
func TestModel(t *testing.T) {
	depth := 3
	if *wholeModel {
		depth = 4
	}
	states := 0
	var visit func(m model, left int)
	visit = func(m model, left int) {
		if states++; left == 0 || t.Failed() {
			return
		}
		for _, set := range sets() {
			for moves := range 6 {
				next := m.clone()
				if err := next.publish(set); err != nil {
					t.Errorf("%v\n%+v", err, next.all)
					return
				}
				for n := 0; n < len(next.all) && moves > 0; n++ {
					if moves < 3 && n%2 == moves%2 { // only every other one has had time
						continue
					}
					next.step(n, moves%2)
					if moves > 4 {
						next.step(n, 0)
					}
					if err := next.check(); err != nil {
						t.Errorf("%v\n%+v", err, next.all)
						return
					}
				}
				visit(next, left-1)
			}
		}
	}
	visit(model{}, depth)
	t.Logf("%d states", states)
}

func (m model) clone() model {
	return model{all: append([]instance(nil), m.all...), current: m.current}
}
