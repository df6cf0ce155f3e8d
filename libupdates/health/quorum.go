package health

import (
	"fmt"

	"nexus/libupdates/refusal"
)

// A quorum is what is asked of the optional services together: that many of them must be healthy.
func quorum(need int, services []Service) finding {
	var all, well, failed int
	worst := finding{Outcome: OK}    // the first that failed, in the order of the list
	hindered := finding{Outcome: OK} // the first that waits and is not to blame
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
			if hindered.Outcome == OK && f.waitsExcused() {
				hindered = f
			}
		}
	}
	how := fmt.Sprintf("%d of %d healthy, not %d", well, all, need)
	switch {
	case well >= need:
		return finding{Outcome: OK}
	case all-failed < need:
		return failing(refusal.QuorumLost, "optional services", how, worst.Detail)
	default:
		return waiting(hindered.Reason, "optional services", how, hindered.Detail)
	}
}
