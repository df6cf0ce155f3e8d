package main

import (
	"fmt"

	"nexus/selftest/host"
)

// Bounds of growth, from the first quiet moment in the life of a process to any later one. A Go program opens a few descriptors late; one
// that leaks one a cycle passes the bound within a stretch.
const (
	moreFDs = 8
	moreRSS = 64 << 20 // bytes

)

// A Size is what a process takes at a quiet moment.
type Size struct {
	FDs int
	RSS int64 // bytes
}

// A Life is how big a process was at the first and at the last quiet moment, and the most it ever was at one.
type Life struct {
	Name              string
	First, Last, Most Size
	Looks             int
}

// Growth is how the processes of the system grew, by process.
type Growth map[string]*Life

// look measures the processes, and returns those that grew over the bounds.
func (g Growth) look(members []host.Proc) (found []error) {
	for _, p := range members {
		if isService(p) {
			continue
		}
		if err := g.note(fmt.Sprintf("%d/%s", p.PID, p.Start), p.Name, Size{p.FDs(), p.RSS()}); err != nil {
			found = append(found, err)
		}
	}
	return found
}

// note takes one measurement.
func (g Growth) note(key, name string, now Size) error {
	life := g[key]
	if life == nil {
		life = &Life{Name: name, First: now}
		g[key] = life
	}
	if now.FDs > life.First.FDs+moreFDs {
		return fmt.Errorf("%s has %d descriptors, and had %d", name, now.FDs, life.First.FDs)
	}
	if now.RSS > life.First.RSS+moreRSS {
		return fmt.Errorf("%s takes %d MiB of memory, and took %d", name, now.RSS>>20, life.First.RSS>>20)
	}
	life.Last, life.Looks = now, life.Looks+1
	life.Most = Size{max(life.Most.FDs, now.FDs), max(life.Most.RSS, now.RSS)}
	return nil
}

// longest is, for each name, the process that was looked at most often: where growth would show.
func (g Growth) longest() []*Life {
	best := map[string]*Life{}
	for _, life := range g {
		if b := best[life.Name]; b == nil || life.Looks > b.Looks {
			best[life.Name] = life
		}
	}
	var lives []*Life
	for _, name := range append([]string{"initd"}, daemons()...) {
		if best[name] != nil {
			lives = append(lives, best[name])
		}
	}
	return lives
}
