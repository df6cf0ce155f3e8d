package kit

import (
	"fmt"
	"time"

	"nexus/selftest/oracle"
)

// Quiet asks the system, with a pause in between, until it answers, no stage and no trial is under way, the confirmed
// set is healthy, and still agrees. Every answer on the way must be one that a system with these sets may give at all.
// still gets each answer, or the error of asking, and returns an error to give up.
func (n NX) Quiet(bound, pause time.Duration, sets oracle.Sets,
	still func(now oracle.State, asking error) (bool, error)) (oracle.State, error) {
	var now oracle.State
	var asking error
	for begun := time.Now(); time.Since(begun) < bound; time.Sleep(pause) {
		now = oracle.State{}
		if asking = n.Ask(&now, "status"); asking == nil {
			if err := now.Check(sets); err != nil {
				return now, err
			}
		}
		agrees, err := still(now, asking)
		if err != nil {
			return now, err
		}
		if agrees && asking == nil && !now.Staging && now.PendingSlot == nil && now.HealthOK {
			return now, nil
		}
	}
	return now, fmt.Errorf("the system is not quiet after %s: %+v (%w)", bound, now, asking)
}
