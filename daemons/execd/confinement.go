package execd

import (
	"os"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/libupdates/powers"
)

// confinement returns what a bundle's program may do. One with a single listening socket gets that whenever it makes
// one itself; with several, or where it may connect too, nothing would say which socket is to be that.
func confinement(spec spec, payload *os.File, given endowment) *plat.Confinement {
	c := plat.PayloadConfinement(spec.user, plat.Dynamic(payload))
	c.Program = plat.OnDisk(payload)
	for _, power := range powers.Of(powers.ConnectTCP, spec.powers) {
		c.Connect = append(c.Connect, plat.PortRange{First: power.Port, Last: power.Port})
	}
	switch sockets := len(given.listening); {
	case sockets == 0:
	case sockets == 1 && len(c.Connect) == 0:
		c.Calls = plat.CallsBinder
	default:
		c.Calls = plat.CallsServer
	}
	if given.state != "" {
		c.Paths = append(c.Paths, plat.PathRule{Path: given.state, Access: plat.Read | plat.Write})
	}
	for _, path := range given.data {
		c.Paths = append(c.Paths, plat.PathRule{Path: path, Access: plat.Read})
	}
	return &c
}

// reportConfinement logs once which measures this machine lacks for payloads.
func reportConfinement(log *logclient.Log) {
	for _, m := range plat.PayloadConfinement(plat.FirstPayloadUser, false).Measures() {
		// The network is execd's own, and so are the limits and the groups: initd reports on them.
		if !m.On && m.Name != plat.MeasureNetwork {
			log.Warn("payloads are less confined on this machine", "measure", m.Name, "reason", m.Detail)
		}
	}
}
