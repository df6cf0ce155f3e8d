package health

import (
	"cmp"
	"fmt"

	"nexus/libupdates/refusal"
)

// MaxRestarts is how often a service may end or become unhealthy while its set is under watch; once more is a crash
// loop.
const MaxRestarts = 2

// Watched is a service of a confirmed set that is under watch.
type Watched struct {
	Service
	Restarts uint32 // since its set was published
	Lapses   uint32 // how often it became unhealthy without ending, since then
	Last     string // how it failed last, one line for people; empty: it did not
}

// JudgeWatch gives the verdict on a set under watch as things stand. over: its time is up. A required service that is
// in a crash loop fails the set at once; so do optional ones if what is left of them is less than need. Others that are
// not well may recover until then, and have to by then: OK comes only when the time is up and what a trial asks for is
// healthy.
func JudgeWatch(services []Watched, need int, over bool) Verdict {
	var now []Service
	spare := -need // how many optional services may be lost
	for _, s := range services {
		if s.Optional {
			spare++
		}
		now = append(now, s.now())
	}
	for _, s := range services {
		if !s.loops() {
			continue
		}
		if s.Optional {
			spare--
		}
		if !s.Optional || spare < 0 {
			return Verdict{Outcome: Failed, Reason: refusal.CrashLoop, Service: s.Name,
				Detail: sentence(fmt.Sprintf("service %s %s", s.Name, s.Version), s.failures(),
					cmp.Or(s.Last, s.Detail))}
		}
	}
	if !over {
		return Verdict{Outcome: Waiting, Detail: "the watch is not over"}
	}
	return Judge(nil, now, need, nil)
}

// loops reports whether the service is in a crash loop: one that becomes unhealthy counts as one that ended.
func (w Watched) loops() bool { return uint64(w.Restarts)+uint64(w.Lapses) > MaxRestarts }

// failures says how often the service failed.
func (w Watched) failures() string {
	if w.Lapses == 0 {
		return fmt.Sprintf("started again %d times", w.Restarts)
	}
	return fmt.Sprintf("started again %d times and unhealthy %d times", w.Restarts, w.Lapses)
}

// now is how the service counts: in a crash loop it is not healthy, even if it happens to run.
func (w Watched) now() Service {
	s := w.Service
	if w.loops() {
		s.State = Unhealthy
	}
	return s
}
