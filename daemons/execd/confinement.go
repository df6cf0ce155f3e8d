package execd

import (
	"io"

	"nexus/daemons/plat"
)

// confinement is what a payload may do: use the descriptors it was given, compute, and start threads and copies of itself. It may open nothing
// by path; a dynamic program may read the machine's libraries. Its limits are those of execd, which it inherits.
func (s *supervisor) confinement(spec spec, payload io.ReaderAt) *plat.Confinement {
	c := &plat.Confinement{Calls: plat.CallsPayload, User: spec.user}
	if plat.Dynamic(payload) {
		c.Paths = plat.LoaderRules()
	}
	return c
}

// reportConfinement says once what this machine cannot keep payloads from.
func (s *supervisor) reportConfinement() {
	most := plat.Confinement{Calls: plat.CallsPayload, User: plat.FirstPayloadUser}
	for _, m := range most.Measures() {
		// The network is execd's own, and so are the limits: initd reports on them.
		if !m.On && m.Name != plat.MeasureNetwork {
			s.log.Warn("payloads are less confined on this machine", "measure", m.Name, "reason", m.Detail)
		}
	}
}
