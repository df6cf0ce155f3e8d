package initd

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/pinned"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

const (
	// maxOperators bounds the operators that are connected at one time.
	maxOperators = 32
	// keptPlaces of them are reserved for control. On these, following the journal and running a bundle are refused,
	// because either may last forever.
	keptPlaces = 8
	// maxTurnedAway bounds the connections that are told that there is no place; further ones are just closed.
	maxTurnedAway = 8
	// turnPatience is how long such a connection stays open.
	turnPatience = 2 * time.Second
	// maxIdle is how long an idle operator keeps a place that another one needs, and how long anybody keeps a place
	// reserved for control once another one needs it.
	maxIdle = 10 * time.Second
	// roleMessages is the number of messages per second that all clients of a lesser role may send together, so that
	// the daemons have time for others. Half as many may come in a burst. A chunk of a stage is about three messages,
	// so with chunks of 512 KiB a stage can still move more than 100 MiB a second.
	roleMessages = 1000
	// connectionCost is how many messages a new connection counts as, because initd makes links for it.
	connectionCost = 20
)

// A controlSocket accepts clients from outside: the operator's socket, a shared one, or that of a key.
type controlSocket struct {
	listener net.Listener // nil: that of a key, to which remoted brings them
	path     string
	who      string // how a revocation calls those who come in: their role, or their key
	role     Role
	remote   *pinned.Operator // whose key it is; nil: none
	budget   *guard.Budget    // shared by all its clients; nil: they are operators

	mu      sync.Mutex
	conns   map[*vat.Conn]struct{}
	kept    map[*vat.Conn]time.Time // those in the places reserved for control, and since when
	turned  int                     // how many are being turned away
	over    bool
	barred  bool     // the role was revoked: new clients get an Operator without methods
	file    *os.File // the same socket, kept open for the next core; nil: no next core
	removed bool
}

// listen opens the socket in the folder, for the folder's owner only. It replaces the socket of a system that was
// killed: the folder's lock proves that nobody serves it.
func listen(f *folder) (*controlSocket, error) {
	path := f.at(controlFile)
	if err := f.makeWay(controlFile, fs.ModeSocket); err != nil {
		return nil, err
	}
	if err := f.root.Remove(controlFile); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	listener, err := plat.ListenPrivate(path)
	if err != nil {
		return nil, err
	}
	role, _ := RoleOf(operatorRole)
	return newControlSocket(listener, path, role), nil
}

func newControlSocket(listener net.Listener, path string, role Role) *controlSocket {
	c := &controlSocket{listener: listener, path: path, who: role.Name, role: role, conns: map[*vat.Conn]struct{}{},
		kept: map[*vat.Conn]time.Time{}}
	if role.Name != operatorRole {
		c.budget = guard.NewBudget(time.Second/roleMessages, roleMessages/2)
	}
	return c
}

// serve answers operators until the socket is closed.
func (c *controlSocket) serve(s *system) {
	for {
		socket, err := c.listener.Accept()
		switch {
		case err == nil:
			c.budget.Spend(connectionCost, nil)
			c.admit(socket, s)
		case errors.Is(err, net.ErrClosed):
			return
		default: // perhaps out of descriptors, which is temporary
			<-s.host.Clock.After(backoff().First)
		}
	}
}

// admit gives an operator a free place.
func (c *controlSocket) admit(socket net.Conn, s *system) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		socket.Close()
		return
	}
	now := time.Now()
	switch c.place(now) {
	case placeAny:
		c.connect(socket, s, nil)
	case placeKept:
		c.kept[c.connect(socket, s, c.lasting())] = now
	default:
		c.turnAway(socket, s)
	}
}

// A place is a connection slot of a socket.
type place uint8

const (
	placeNone place = iota
	placeAny
	placeKept // for control
)

// place finds a place, and evicts another client if it must. The lock is held.
func (c *controlSocket) place(now time.Time) place {
	free := func() bool { return len(c.conns)-len(c.kept) < maxOperators-keptPlaces }
	if free() || c.evict(now) && free() {
		return placeAny
	}
	if len(c.kept) < keptPlaces || c.evictKept(now) {
		return placeKept
	}
	return placeNone
}

// connect serves Operator on a connection, without the methods that are withheld. The lock is held.
func (c *controlSocket) connect(socket net.Conn, s *system, withheld []string) *vat.Conn {
	methods := slices.DeleteFunc(slices.Clone(c.role.Methods),
		func(method string) bool { return slices.Contains(withheld, method) })
	if c.barred {
		methods, withheld = nil, nil
	}
	session := s.links.OpenSession(c.role.Name, methods, c.key())
	var conn *vat.Conn
	connected := make(chan struct{})
	attach := func(f *os.File) error {
		<-connected
		return conn.Attach(f)
	}
	if c.listener == nil { // remoted passes on bytes
		attach = nil
	}
	root := capnp.Client(s.operator(grant{session, methods, withheld, attach}))
	conn = vat.Connect(socket, root, guard.Greet(), guard.Within(c.budget), s.refuses(c.who))
	close(connected)
	c.conns[conn] = struct{}{}
	go func() {
		<-conn.Done()
		session.End()
		c.mu.Lock()
		delete(c.conns, conn)
		delete(c.kept, conn)
		c.mu.Unlock()
	}()
	return conn
}

// key returns the key by which clients come in, for the audit log; empty: they come by a socket's path.
func (c *controlSocket) key() string {
	if c.remote == nil {
		return ""
	}
	return c.who
}

// lasting returns the methods of the socket's role whose use may last forever.
func (c *controlSocket) lasting() []string {
	return slices.DeleteFunc([]string{"journal", "exec"},
		func(method string) bool { return !slices.Contains(c.role.Methods, method) })
}

// turnAway tells a client that there is no place, by serving nothing on the connection. The lock is held.
func (c *controlSocket) turnAway(socket net.Conn, s *system) {
	if c.turned >= maxTurnedAway {
		socket.Close()
		return
	}
	c.turned++
	conn := vat.Connect(socket, capnp.Client{}, guard.Greet(), s.refuses(c.who))
	go func() {
		select {
		case <-conn.Done():
		case <-s.host.Clock.After(turnPatience):
			conn.Close()
		}
		c.mu.Lock()
		c.turned--
		c.mu.Unlock()
	}()
}

// evict closes the connection that has been idle the longest, if one is. The lock is held.
func (c *controlSocket) evict(now time.Time) bool {
	var idlest *vat.Conn
	oldest := now.Add(-maxIdle)
	for conn := range c.conns {
		if since, busy := conn.Idle(); !busy && since.Before(oldest) {
			idlest, oldest = conn, since
		}
	}
	if idlest == nil {
		return false
	}
	c.giveWay(idlest)
	return true
}

// evictKept closes the connection that has had a place reserved for control the longest, if that is longer than
// maxIdle. The lock is held.
func (c *controlSocket) evictKept(now time.Time) bool {
	var first *vat.Conn
	oldest := now.Add(-maxIdle)
	for conn, since := range c.kept {
		if since.Before(oldest) {
			first, oldest = conn, since
		}
	}
	if first == nil {
		return false
	}
	c.giveWay(first)
	return true
}

func (c *controlSocket) giveWay(conn *vat.Conn) {
	delete(c.conns, conn)
	delete(c.kept, conn)
	go conn.Close()
}

// close stops accepting. Connected operators stay until the system is down, because they wait for that.
func (c *controlSocket) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.listener != nil {
		c.listener.Close()
	}
}

// leave closes the socket for this core and keeps it open for the next one. Clients that connect in between wait for
// that.
func (c *controlSocket) leave() (err error) {
	unix, ok := c.listener.(*net.UnixListener)
	if !ok {
		return fmt.Errorf("cannot keep %s open: not a unix socket", c.path)
	}
	if c.file, err = unix.File(); err == nil {
		c.close()
	}
	return err
}

// bar revokes or grants the way in. Clients of a revoked one are disconnected. New ones get an Operator without
// methods, which says why, or are not let in with their key.
func (c *controlSocket) bar(barred bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.barred = barred
	for conn := range c.conns {
		go conn.Close()
	}
}

// hangUp closes all connections, once the next core has the socket.
func (c *controlSocket) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		c.file.Close()
	}
	for conn := range c.conns {
		go conn.Close()
	}
}

// remove closes the socket and removes its file, once: a later file at the path may belong to somebody else.
func (c *controlSocket) remove() {
	c.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		c.file.Close()
	}
	if !c.removed && c.listener != nil {
		c.removed = true
		os.Remove(c.path)
	}
}

// refuses logs that a peer was disconnected for what it sent.
func (s *system) refuses(peer string) guard.Option {
	return guard.Observe(func(reason guard.Reason) { s.log.Refused(peer, reason) })
}
