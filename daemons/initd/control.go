package initd

import (
	"errors"
	"fmt"
	"net"
	"os"
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
	// maxIdle is how long an operator who has nothing under way may be silent and keep a place that another one needs.
	maxIdle = 10 * time.Second
)

// A controlSocket is a way in for those outside: the operator's, or one that is shared.
type controlSocket struct {
	listener net.Listener
	file     *os.File // the same socket: it stays open for the next core while nobody serves it
	path     string
	role     Role

	mu    sync.Mutex
	conns map[*vat.Conn]struct{}
	over  bool
}

// listen opens the socket in the folder, for the folder's owner only. A socket a killed system left is in the way; the folder's
// lock says that nobody serves it.
func listen(f *folder) (*controlSocket, error) {
	path := f.at("control.sock")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	listener, err := plat.ListenPrivate(path)
	if err != nil {
		return nil, err
	}
	role, _ := roleOf(operatorRole)
	return newControlSocket(listener, path, role)
}

func newControlSocket(listener net.Listener, path string, role Role) (*controlSocket, error) {
	unix, ok := listener.(*net.UnixListener)
	if !ok {
		return nil, fmt.Errorf("cannot serve %s: it is no unix socket", path)
	}
	file, err := unix.File()
	if err != nil {
		listener.Close()
		return nil, err
	}
	return &controlSocket{listener: listener, file: file, path: path, role: role, conns: map[*vat.Conn]struct{}{}}, nil
}

// serve answers operators until the socket is closed.
func (c *controlSocket) serve(s *system) {
	for {
		socket, err := c.listener.Accept()
		switch {
		case err == nil:
			c.admit(socket, s)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, perhaps; that passes
			<-s.host.Clock.After(firstPause)
		}
	}
}

func (c *controlSocket) admit(socket net.Conn, s *system) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || len(c.conns) >= maxOperators && !c.evict(time.Now()) {
		socket.Close()
		return
	}
	files := &guard.Files{}
	conn := vat.Connect(socket, capnp.Client(s.operatorWith(c.role.Methods, files)), guard.Greet(), guard.AcceptFiles(files), s.refuses(c.role.Name))
	c.conns[conn] = struct{}{}
	go func() {
		<-conn.Done()
		c.mu.Lock()
		delete(c.conns, conn)
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
	delete(c.conns, idlest)
	go idlest.Close()
	return true
}

// close has nobody new come in. Operators who are in stay until the system is down: they wait for that. Those who knock meanwhile wait for the
// next core, unless the socket is removed.
func (c *controlSocket) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.listener.Close()
}

// hangUp ends the connections of those who are in.
func (c *controlSocket) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		go conn.Close()
	}
}

// remove closes the socket and takes it from its folder.
func (c *controlSocket) remove() {
	c.close()
	if c.file.Close() == nil { // once: what is at the path later may be another's
		os.Remove(c.path)
	}
}
