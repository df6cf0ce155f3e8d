package initd

import (
	"slices"
	"sync"
)

// ways are the sockets for clients from outside: the control socket and the shared ones.
type ways struct {
	mu      sync.Mutex
	sockets []*controlSocket
	barred  map[string]bool // roles that were revoked
	ledger  *revocations    // told before a change takes effect
}

// newWays returns ways that are closed to the roles that the ledger has as revoked.
func newWays(ledger *revocations) *ways {
	w := &ways{barred: map[string]bool{}, ledger: ledger}
	ledger.each(func(client, service string) {
		if isWayIn(client) && service == operatorFacet {
			w.barred[client] = true
		}
	})
	return w
}

// serve starts serving these sockets.
func (w *ways) serve(s *system, sockets []*controlSocket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets = sockets
	for _, socket := range sockets {
		socket.bar(w.isBarred(socket))
		if socket.listener != nil {
			go socket.serve(s)
		}
	}
}

// awaitLock returns once nobody else has the lock.
func (w *ways) awaitLock() {
	w.mu.Lock()
	defer w.mu.Unlock()
}

// bar revokes or grants a role.
func (w *ways) bar(role string, barred bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.barred[role] == barred {
		return nil
	}
	tell := w.ledger.Grant
	if barred {
		tell = w.ledger.Revoke
	}
	if err := tell(role, operatorFacet); err != nil {
		return err
	}
	w.barred[role] = barred
	for _, socket := range w.sockets {
		if socket.who == role || socket.role.Name == role {
			socket.bar(w.isBarred(socket))
		}
	}
	return nil
}

// isBarred reports whether whoever comes in by a socket is given nothing. The lock is held.
func (w *ways) isBarred(c *controlSocket) bool { return w.barred[c.who] || w.barred[c.role.Name] }

// open returns the roles that have a socket and are not revoked.
func (w *ways) open(roles []Role) []Role {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(roles, func(r Role) bool { return w.barred[r.Name] })
}

// close stops accepting clients. For a next core the sockets stay open; one that cannot be kept open is opened again by
// that core.
func (w *ways) close(handing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.sockets {
		if !handing || c.leave() != nil {
			c.remove()
		}
	}
}
