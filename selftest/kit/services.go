package kit

import (
	"fmt"
	"slices"

	"nexus/selftest/oracle"
)

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
		if err == nil && !slices.Contains(env, "NEXUS_SLOT="+slot) {
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
