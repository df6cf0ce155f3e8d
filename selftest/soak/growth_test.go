package soak

import (
	"fmt"

	"nexus/selftest/kit"
)

// Bounds of growth, from the first quiet moment in the life of a process to any later one. A Go program opens a few
// descriptors late; one that leaks one a cycle passes the bound within a stretch.
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
	Windows           []Window
}

// A Window is what so many looks in a row have seen.
type Window struct {
	Looks int
	FDs   int   // the most
	RSS   int64 // bytes, all together
}

// window is how many looks make one, and how far a later one may be above the second: the first has what a process
// takes up once.
const (
	window    = 100
	windowFDs = 2
	windowRSS = 2 << 20 // bytes
)

// Mean is the memory at a look.
func (w Window) Mean() int64 { return w.RSS / int64(w.Looks) }

// add takes one more look into the last window.
func (l *Life) add(now Size) {
	if l.Looks%window == 0 {
		l.Windows = append(l.Windows, Window{})
	}
	w := &l.Windows[len(l.Windows)-1]
	w.Looks, w.FDs, w.RSS = w.Looks+1, max(w.FDs, now.FDs), w.RSS+now.RSS
	l.Last, l.Looks = now, l.Looks+1
	l.Most = Size{max(l.Most.FDs, now.FDs), max(l.Most.RSS, now.RSS)}
}

// flat wants the longest life of that name not to grow from its second window on.
func (g Growth) flat(name string) error {
	for _, l := range g.longest() {
		if l.Name != name || len(l.Windows) < 2 {
			continue
		}
		base := l.Windows[1]
		for i, w := range l.Windows[2:] {
			if w.FDs > base.FDs+windowFDs || w.Mean() > base.Mean()+windowRSS {
				return fmt.Errorf("%s grows: %d descriptors and %d KiB in looks from %d on, %d and %d KiB from %d on",
					name, base.FDs, base.Mean()>>10, window, w.FDs, w.Mean()>>10, (i+2)*window)
			}
		}
	}
	return nil
}

// Growth is how the processes of the system grew, by process.
type Growth map[string]*Life

// look measures the processes, and returns those that grew over the bounds.
func (g Growth) look(members []kit.Proc) (found []error) {
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
	life.add(now)
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
