package soak

import (
	"fmt"
	"testing"

	"nexus/selftest/oracle"
)

// healthy returns the process of each service that is healthy.
func (s *Soak) healthy() (map[string]int, error) {
	var roll oracle.Roll
	if err := s.host.Ask(&roll, "services"); err != nil {
		return nil, err
	}
	processes := map[string]int{}
	for _, service := range roll.Services {
		if service.State == "healthy" {
			processes[service.Name] = service.PID
		}
	}
	return processes, nil
}

// goOn wants the services that no set of the cycle changes to be the same processes as before, if nothing disturbed
// them.
func (s *Soak) goOn(r *Run) error {
	if r.Hit != "" || r.Flow == Rivals || r.crashLooped() {
		return nil
	}
	now, err := s.healthy()
	if err != nil {
		return err
	}
	sets := oracle.Sets{s.sets.Known(r.Before.Active().Digest()), s.sets.Known(r.After.Active().Digest())}
	if r.Set != nil && r.Set.Files != nil {
		sets = append(sets, r.Set)
	}
	return wentOn(r.Ran, now, sets)
}

// wentOn wants each service that all these sets have the same to be the process that it was.
func wentOn(before, now map[string]int, sets oracle.Sets) error {
	for name, pid := range before {
		if sameInAll(name, sets) && now[name] != pid {
			return fmt.Errorf("service %s is not changed, and is process %d, not %d", name, now[name], pid)
		}
	}
	return nil
}

// sameInAll reports whether all sets have the same bundle under this name.
func sameInAll(name string, sets oracle.Sets) bool {
	for _, set := range sets {
		for _, file := range []string{oracle.PayloadFile, "/manifest.nxb"} {
			path := name + oracle.BundleExt + file
			if set == nil || set.Files[path] == "" || set.Files[path] != sets[0].Files[path] {
				return false
			}
		}
	}
	return true
}

// TestWentOn shows that a service which is started again for nothing is found, and none that a set changes.
func TestWentOn(t *testing.T) {
	of := func(manifest, payload string) *oracle.Set {
		return &oracle.Set{Files: map[string]string{"web.nxb/manifest.nxb": manifest, "web.nxb/payload.elf": payload}}
	}
	before := map[string]int{"web": 7}
	for name, c := range map[string]struct {
		now  map[string]int
		sets oracle.Sets
		bad  bool
	}{
		"the same process":              {before, oracle.Sets{of("a", "b"), of("a", "b")}, false},
		"another process":               {map[string]int{"web": 8}, oracle.Sets{of("a", "b"), of("a", "b")}, true},
		"no process":                    {nil, oracle.Sets{of("a", "b"), of("a", "b")}, true},
		"another manifest":              {map[string]int{"web": 8}, oracle.Sets{of("a", "b"), of("c", "b")}, false},
		"another payload":               {map[string]int{"web": 8}, oracle.Sets{of("a", "b"), of("a", "c")}, false},
		"changed by the set in between": {nil, oracle.Sets{of("a", "b"), of("a", "b"), of("a", "c")}, false},
		"a set without it":              {nil, oracle.Sets{of("a", "b"), {}}, false},
		"an unknown set":                {nil, oracle.Sets{of("a", "b"), nil}, false},
	} {
		if err := wentOn(before, c.now, c.sets); (err != nil) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}
