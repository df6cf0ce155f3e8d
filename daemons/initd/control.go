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

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

const (
	// maxOperators bounds the operators that are connected at one time.
	maxOperators = 32
	// keptPlaces are those of them that are kept for control: whoever has one can do all that ends, and neither follows
	// the journal nor runs a bundle.
	keptPlaces = 8
	// maxTurnedAway bounds those who are told that there is no place; others are hung up on.
	maxTurnedAway = 8
	// turnPatience is how long such a one may take to hear it.
	turnPatience = 2 * time.Second
	// maxIdle is how long an operator who has nothing under way may be silent and keep a place that another one needs;
	// and how long anybody may keep a place that is kept for control, once another one needs that.
	maxIdle = 10 * time.Second
	// roleMessages is the number of messages per second that all clients of a lesser role may send together, so that
	// the daemons have time for others. Half as many may come in a burst. A chunk of a stage is about three messages,
	// so with chunks of 512 KiB a stage can still move more than 100 MiB a second.
	roleMessages = 1000
	// connectionCost is the number of messages that a new connection counts as, because initd makes links for it.
	connectionCost = 20
)

// A controlSocket is a way in for those outside: the operator's, or one that is shared.
type controlSocket struct {
	listener net.Listener
	path     string
	role     Role
	budget   *guard.Budget // of those who come in, all together; nil: they are operators

	mu      sync.Mutex
	conns   map[*vat.Conn]struct{}
	kept    map[*vat.Conn]time.Time // those of them in the places that are kept for control, and since when
	turned  int                     // how many are being told that there is no place
	over    bool
	barred  bool     // the role was revoked: whoever comes in is given nothing
	file    *os.File // the same socket, open for the next core while nobody serves it; nil: none is to come
	removed bool
}

// listen opens the socket in the folder, for the folder's owner only. A socket a killed system left is in the way; the
// folder's lock says that nobody serves it.
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
	c := &controlSocket{listener: listener, path: path, role: role, conns: map[*vat.Conn]struct{}{},
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
		default: // out of descriptors, perhaps; that passes
			<-s.host.Clock.After(firstPause)
		}
	}
}

// admit lets an operator in, to a place that is free.
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

// A place is one of those that a socket has.
type place uint8

const (
	placeNone place = iota
	placeAny
	placeKept // for control
)

// place finds a place, and makes room for it where somebody has to give way. The lock is held.
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
	session := s.links.OpenSession(c.role.Name, methods)
	var conn *vat.Conn
	connected := make(chan struct{})
	attach := func(f *os.File) error {
		<-connected
		return conn.Attach(f)
	}
	root := capnp.Client(s.operator(grant{session, methods, withheld, attach}))
	conn = vat.Connect(socket, root, guard.Greet(), guard.Within(c.budget), s.refuses(c.role.Name))
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

// lasting are the methods of the socket's role whose use may last for ever.
func (c *controlSocket) lasting() []string {
	return slices.DeleteFunc([]string{"journal", "exec"},
		func(method string) bool { return !slices.Contains(c.role.Methods, method) })
}

// turnAway tells somebody that there is no place: nothing is served on the connection. The lock is held.
func (c *controlSocket) turnAway(socket net.Conn, s *system) {
	if c.turned >= maxTurnedAway {
		socket.Close()
		return
	}
	c.turned++
	conn := vat.Connect(socket, capnp.Client{}, guard.Greet(), s.refuses(c.role.Name))
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

// evict makes room by closing the connection that has been idle the longest, if there is one. The lock is held.
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

// evictKept makes room among the places that are kept for control: whoever has one longest gives way, if that is long.
// The lock is held.
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

// close has nobody new come in. Operators who are in stay until the system is down: they wait for that.
func (c *controlSocket) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.listener.Close()
}

// leave closes the socket for this core and keeps it open for the next: who knocks meanwhile waits for that.
func (c *controlSocket) leave() (err error) {
	unix, ok := c.listener.(*net.UnixListener)
	if !ok {
		return fmt.Errorf("cannot leave %s open: it is no unix socket", c.path)
	}
	if c.file, err = unix.File(); err == nil {
		c.close()
	}
	return err
}

// bar revokes or grants a role, if this is a way in for it. Who is in by a role that is revoked is cut off; who comes
// in then finds an Operator without methods, which says so.
func (c *controlSocket) bar(role string, barred bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role.Name != role {
		return
	}
	c.barred = barred
	for conn := range c.conns {
		go conn.Close()
	}
}

// hangUp ends the connections of those who are in, once what was left of the socket is in the next core's hands.
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

// remove closes the socket and takes it from its folder, once: what is at the path later may be another's.
func (c *controlSocket) remove() {
	c.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		c.file.Close()
	}
	if !c.removed {
		c.removed = true
		os.Remove(c.path)
	}
}

// refuses logs that a peer lost its connection for what it sent.
func (s *system) refuses(peer string) guard.Option {
	return guard.Observe(func(reason guard.Reason) { s.log.Refused(peer, reason) })
}
