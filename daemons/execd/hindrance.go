package execd

import (
	"nexus/daemons/plat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// stateOf is how a service is that could not be started. Only what its program is speaks against its set. Whatever else
// stops a start is the doing of the machine, of execd, or of a daemon that it asks, as are bytes other than those that
// were verified when the slot was published: the start is tried again, until the attempt's time is up.
func stateOf(err error) health.State {
	if plat.ProgramRefused(err) || refusal.Of(err) == refusal.WrongArchitecture {
		return health.StartFailed
	}
	return health.Hindered
}
