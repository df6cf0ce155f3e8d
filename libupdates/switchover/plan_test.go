package switchover_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"nexus/libupdates/bundlestate"
	"nexus/libupdates/switchover"
	"nexus/libupdates/trust"
)

// web is a service as version 1 has it.
func web(change ...func(*switchover.Service)) switchover.Service {
	s := switchover.Service{Name: "web", Of: bundlestate.Identity{1}, Publisher: trust.PublicKey{1}, User: 7,
		Powers: []string{"net.listen:tcp/80", "state:1MiB"}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func named(name string) func(*switchover.Service) {
	return func(s *switchover.Service) { s.Name = name }
}
func version(n byte) func(*switchover.Service) {
	return func(s *switchover.Service) { s.Of = bundlestate.Identity{n} }
}
func signedBy(key byte) func(*switchover.Service) {
	return func(s *switchover.Service) { s.Publisher = trust.PublicKey{key} }
}
func user(id uint32) func(*switchover.Service) { return func(s *switchover.Service) { s.User = id } }
func asking(powers ...string) func(*switchover.Service) {
	return func(s *switchover.Service) { s.Powers = powers }
}

// TestTable has one row for each cause that makes a service go on, start, wait or end.
func TestTable(t *testing.T) {
	type steps = []switchover.Step
	runs := func(s switchover.Service) switchover.Running {
		return switchover.Running{Service: s, Healthy: true, Holds: true}
	}
	is := func(change func(*switchover.Running)) []switchover.Running {
		r := runs(web())
		change(&r)
		return []switchover.Running{r}
	}
	const none = switchover.None
	keep, replace, start := steps{{Keep: 0}}, steps{{none, []int{0}}}, steps{{Keep: none}}
	for what, c := range map[string]struct {
		running []switchover.Running
		next    []switchover.Service
		want    switchover.Plan
	}{
		"nothing at all": {nil, nil, switchover.Plan{Next: steps{}}},
		"a first start":  {nil, []switchover.Service{web()}, switchover.Plan{Next: start}},
		"the same service": {[]switchover.Running{runs(web())}, []switchover.Service{web()},
			switchover.Plan{Next: keep}},
		"another version": {[]switchover.Running{runs(web())}, []switchover.Service{web(version(2))},
			switchover.Plan{Next: replace}},
		"another publisher": {[]switchover.Running{runs(web())}, []switchover.Service{web(signedBy(2))},
			switchover.Plan{Next: replace}},
		"other data": {[]switchover.Running{runs(web())},
			[]switchover.Service{web(func(s *switchover.Service) { s.Data = "pages=2 " })}, switchover.Plan{Next: replace}},
		"another user": {[]switchover.Running{runs(web())}, []switchover.Service{web(user(8))},
			switchover.Plan{Next: replace}},
		"not healthy": {is(func(r *switchover.Running) { r.Healthy = false }), []switchover.Service{web()},
			switchover.Plan{Next: replace}},
		"due something else": {is(func(r *switchover.Running) { r.Holds = false }), []switchover.Service{web()},
			switchover.Plan{Next: replace}},
		"ending already": {is(func(r *switchover.Running) { r.Ending = true }), []switchover.Service{web()},
			switchover.Plan{Next: replace}},
		"removed": {[]switchover.Running{runs(web())}, nil, switchover.Plan{Next: steps{}, End: []int{0}}},
		"removed, and another added": {[]switchover.Running{runs(web())},
			[]switchover.Service{web(named("db"), user(8), asking())}, switchover.Plan{Next: start, End: []int{0}}},
		"the same port under another name": {[]switchover.Running{runs(web())},
			[]switchover.Service{web(named("db"), user(8))}, switchover.Plan{Next: replace}},
		"the same user under another name": {[]switchover.Running{runs(web())},
			[]switchover.Service{web(named("db"), asking())}, switchover.Plan{Next: replace}},
		"the same device under another name": {
			[]switchover.Running{runs(web(asking("device:led"))), runs(web(named("ui"), user(9), asking("device:led")))},
			[]switchover.Service{web(named("db"), user(8), asking("device:led")),
				web(named("ui"), user(9), asking("device:led"))},
			switchover.Plan{Next: steps{{none, []int{0}}, {Keep: 1}}}},
		"another device": {[]switchover.Running{runs(web(asking("device:led")))},
			[]switchover.Service{web(named("db"), user(8), asking("device:zeros"))},
			switchover.Plan{Next: start, End: []int{0}}},
		"the same quota is not shared": {[]switchover.Running{runs(web())},
			[]switchover.Service{web(named("db"), user(8), asking("state:1MiB"))},
			switchover.Plan{Next: start, End: []int{0}}},
		"one ends, the next has not ended either": {
			append(is(func(r *switchover.Running) { r.Ending = true }), runs(web(version(2)))),
			[]switchover.Service{web(version(3))}, switchover.Plan{Next: steps{{none, []int{0, 1}}}}},
		"the newer one goes on while the older one ends": {
			append(is(func(r *switchover.Running) { r.Ending = true }), runs(web(version(2)))),
			[]switchover.Service{web(version(2))}, switchover.Plan{Next: steps{{Keep: 1}}, End: []int{0}}},
		"ports change hands": {
			[]switchover.Running{runs(web()), runs(web(named("db"), user(8), asking("net.listen:tcp/81")))},
			[]switchover.Service{web(named("db"), user(8), version(2)), web(version(2), asking("net.listen:tcp/81"))},
			switchover.Plan{Next: steps{{none, []int{0, 1}}, {none, []int{0, 1}}}}},
	} {
		if got := switchover.PlanFor(c.running, c.next); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", what, got, c.want)
		}
	}
}

// TestProperties checks what holds for every plan: each service that ran goes on or ends, a service goes on only where
// nothing about it has changed, and no two that exclude each other ever run at the same time.
func TestProperties(t *testing.T) {
	kept, started := 0, 0
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 26))
		running, next := someRunning(r), someNext(r)
		before := fmt.Sprint(running, next)
		plan := switchover.PlanFor(running, next)
		if fmt.Sprint(running, next) != before || len(plan.Next) != len(next) {
			t.Fatalf("seed %d: the arguments changed, or %d steps for %d services", seed, len(plan.Next), len(next))
		}
		goes, ends := map[int]bool{}, map[int]bool{}
		for _, i := range plan.End {
			ends[i] = true
		}
		for i, step := range plan.Next {
			for _, j := range step.After {
				ends[j] = true
			}
			if step.Keep == switchover.None {
				started++
				continue
			}
			kept++
			was := running[step.Keep]
			if goes[step.Keep] || len(step.After) > 0 || !reflect.DeepEqual(was.Service, next[i]) || !was.Healthy ||
				!was.Holds || was.Ending {
				t.Fatalf("seed %d: %+v goes on as %+v, after %v", seed, was, next[i], step.After)
			}
			goes[step.Keep] = true
		}
		for j, was := range running {
			if goes[j] == ends[j] {
				t.Fatalf("seed %d: %+v goes on: %t, ends: %t", seed, was, goes[j], ends[j])
			}
			for i, step := range plan.Next {
				if step.Keep == switchover.None && clash(was.Service, next[i]) && !slices.Contains(step.After, j) &&
					!goes[j] {
					t.Fatalf("seed %d: %+v starts while %+v may run", seed, next[i], was)
				}
				if same := was.Healthy && was.Holds && !was.Ending && was.Same(next[i]); same && !goes[j] {
					t.Fatalf("seed %d: %+v does not go on", seed, was)
				}
			}
		}
	}
	if kept < 1000 || started < 1000 {
		t.Errorf("the test is idle: %d went on, %d started", kept, started)
	}
}

func clash(a, b switchover.Service) bool {
	return a.Name == b.Name || a.User == b.User || len(a.Powers) > 0 && reflect.DeepEqual(a.Powers, b.Powers)
}

// someRunning returns services as they may run: of each name at most one that is not ending.
func someRunning(r *rand.Rand) (all []switchover.Running) {
	for _, s := range append(someNext(r), someNext(r)...) {
		one := switchover.Running{Service: s, Healthy: r.IntN(4) > 0, Holds: r.IntN(4) > 0}
		one.Ending = slices.ContainsFunc(all, func(o switchover.Running) bool { return o.Name == s.Name })
		all = append(all, one)
	}
	return all
}

// someNext returns the services of a set: names, users and ports are each there once.
func someNext(r *rand.Rand) (all []switchover.Service) {
	for i, port := range r.Perm(4) {
		if r.IntN(3) == 0 {
			continue
		}
		s := switchover.Service{Name: string(rune('a' + i)), Of: bundlestate.Identity{byte(r.IntN(2))},
			Publisher: trust.PublicKey{byte(r.IntN(8) / 7)}, User: uint32(i)}
		if s.Of != (bundlestate.Identity{}) { // what it asks for is in its manifest
			s.Powers = []string{fmt.Sprintf("net.listen:tcp/%d", 1+i)}
		} else if r.IntN(8) == 0 {
			s.User = uint32(10 + port)
		}
		all = append(all, s)
	}
	return all
}
