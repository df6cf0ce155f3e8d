package execd

import (
	"nexus/daemons/plat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// stateOf returns the state of a service that could not be started. Only a defect of the program itself, or a power
// that it asks for and is not granted, counts against its set. All other causes are faults of the machine, of execd, or
// of a daemon that it calls, including bytes other than those that were verified when the slot was published. The start
// is then tried again until the attempt's deadline.
func stateOf(err error) health.State {
	switch reason := refusal.Of(err); {
	case plat.ProgramRefused(err), reason == refusal.WrongArchitecture, reason == refusal.PolicyDenied,
		reason == refusal.PortTaken:
		return health.StartFailed
	}
	return health.Hindered
}
