package initd

import (
	"errors"
	"net"
	"os"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// maxOperators bounds the operators that are connected at one time.
const maxOperators = 32

// A controlSocket is the operator's way in.
type controlSocket struct {
	listener net.Listener
	path     string

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
	return &controlSocket{listener: listener, path: path, conns: map[*vat.Conn]struct{}{}}, nil
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
	if c.over || len(c.conns) >= maxOperators {
		socket.Close()
		return
	}
	conn := vat.Connect(socket, capnp.Client(operator.Operator_ServerToClient(&operatorServer{s})))
	c.conns[conn] = struct{}{}
	go func() {
		<-conn.Done()
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
	}()
}

// close removes the socket, so that nobody new gets in. Operators who are in stay until the system is down: they wait for that.
func (c *controlSocket) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.listener.Close()
	os.Remove(c.path)
}
