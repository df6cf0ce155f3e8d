package health

import (
	"fmt"

	"nexus/libupdates/refusal"
)

// A quorum is what is asked of the optional services together: that many of them must be healthy.
func quorum(need int, services []Service) finding {
	var all, well, failed int
	worst := finding{Outcome: OK} // the first that failed, in the order of the list
	open := finding{Outcome: OK}  // the first that is waited for, and rather one that is not to blame
	for _, s := range services {
		if !s.Optional {
			continue
		}
		all++
		switch f := s.finding(); f.Outcome {
		case OK:
			well++
		case Failed:
			failed++
			if worst.Outcome == OK {
				worst = f
			}
		default:
			if open.Outcome == OK || f.waitsExcused() && !open.waitsExcused() {
				open = f
			}
		}
	}
	how := fmt.Sprintf("%d of %d healthy, not %d", well, all, need)
	switch {
	case well >= need:
		return finding{Outcome: OK}
	case all-failed < need:
		f := failing(refusal.QuorumLost, "optional services", how, worst.Detail)
		f.Service = worst.Service
		return f
	default:
		f := waiting(open.Reason, "optional services", how, open.Detail)
		f.Service = open.Service
		return f
	}
}
