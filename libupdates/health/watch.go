package health

import (
	"fmt"

	"nexus/libupdates/refusal"
)

// MaxRestarts is how often a service may be started again while its set is under watch; once more is a crash loop.
const MaxRestarts = 2

// Watched is a service of a confirmed set that is under watch.
type Watched struct {
	Service
	Restarts uint32 // since its set was published
}

// JudgeWatch gives the verdict on a set under watch as things stand. over: its time is up. A service that is in a crash loop fails the set at
// once. Others that are not well may recover until then, and have to by then: OK comes only when the time is up and all are healthy.
func JudgeWatch(services []Watched, over bool) Verdict {
	var now []Service
	for _, s := range services {
		if s.Restarts > MaxRestarts {
			return Verdict{Outcome: Failed, Reason: refusal.CrashLoop,
				Detail: fmt.Sprintf("service %s %s: started again %d times: %s", s.Name, s.Version, s.Restarts, s.Detail)}
		}
		now = append(now, s.Service)
	}
	if !over {
		return Verdict{Outcome: Waiting, Detail: "the watch is not over"}
	}
	return Judge(nil, now, nil)
}
