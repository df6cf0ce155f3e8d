package kit

import (
	"fmt"
	"slices"
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

// History returns what is wrong with the system's history.
func (n NX) History(sets oracle.Sets) []error {
	var events []oracle.Event
	if err := n.Ask(&events, "history"); err != nil {
		return []error{err}
	}
	return oracle.WrongHistory(events, sets)
}

// Services checks that exactly the services of the set in that slot run, each with the bytes from the archive, and that
// every daemon is ready.
func (h *Host) Services(set *oracle.Set, slot string) (found []error) {
	var roll oracle.Roll
	if err := h.Ask(&roll, "services"); err != nil {
		return []error{err}
	}
	programs := set.Payloads()
	for _, service := range roll.Services {
		sum, err := oracle.SumOf(fmt.Sprintf("/proc/%d/exe", service.PID))
		if err != nil || sum != programs[service.Name] {
			found = append(found, fmt.Errorf("service %s (%s) runs program %.12q, not %.12q (%v)",
				service.Name, service.State, sum, programs[service.Name], err))
		}
		if oracle.Text(service.Slot) != slot {
			found = append(found, fmt.Errorf("service %s is of slot %q", service.Name, oracle.Text(service.Slot)))
		}
		env := Proc{PID: service.PID}.Env()
		from := slices.Contains(env, "NEXUS_SLOT="+slot)
		if service.Earlier { // it was started from either slot
			from = slices.Contains(env, "NEXUS_SLOT=a") || slices.Contains(env, "NEXUS_SLOT=b")
		}
		if err == nil && !from {
			found = append(found, fmt.Errorf("service %s runs with %q", service.Name, env))
		}
		delete(programs, service.Name)
	}
	for name := range programs {
		found = append(found, fmt.Errorf("service %s is missing", name))
	}
	for _, d := range roll.Daemons {
		if !d.Ready {
			found = append(found, fmt.Errorf("%s is not ready", d.Name))
		}
	}
	return found
}
