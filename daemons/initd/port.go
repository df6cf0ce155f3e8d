package initd

import (
	"context"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// portPause is how long to wait before the port is opened again: while it is not there yet, and while nobody is at its
// other end.
const portPause = 100 * time.Millisecond

// servePort answers whoever is at the other end of the machine's port, one connection after the other, until ctx ends,
// which is after the system is down: as on the control socket, operators wait for that. A port cannot tell one peer
// from the next, so it is closed after each: that is what the other end sees of the end of a connection.
func (s *system) servePort(ctx context.Context, name string) {
	role, _ := RoleOf(operatorRole)
	for {
		if port, err := plat.OpenPort(name); err == nil {
			session := s.links.OpenSession("port", role.Methods)
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
