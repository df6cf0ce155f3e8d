package initd

import (
	"context"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// portPause is the pause before the port is opened again if it is not there yet, or nobody is at its other end.
const portPause = 100 * time.Millisecond

// servePort serves the peers at the other end of the machine's port, one after the other, until ctx ends. That is after
// the system is down, because operators wait for it, as on the control socket. A port does not show where one peer ends
// and the next begins, so it is closed after each: that is how the other end sees the end of a connection.
func (s *system) servePort(ctx context.Context, name string) {
	role, _ := RoleOf(operatorRole)
	for {
		if port, err := plat.OpenPort(name); err == nil {
			session := s.links.OpenSession("port", role.Methods, "")
			conn := vat.Connect(port, capnp.Client(s.operator(grant{session: session, methods: role.Methods})),
				s.refuses("port"))
			select {
			case <-conn.Done():
			case <-ctx.Done():
			}
			conn.Close()
			session.End()
		}
		select {
		case <-s.host.Clock.After(portPause):
		case <-ctx.Done():
			return
		}
	}
}
