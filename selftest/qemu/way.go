package qemu

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Bounds on operators, as on a local control socket.
const (
	maxOperators = 32
	patience     = 10 * time.Second // how long an operator waits for the guest to answer
)

// dialPause is the pause before QEMU's socket is tried again. QEMU makes it soon after its start.
const dialPause = 20 * time.Millisecond

// A way connects operators on this host to a guest. A port carries one connection, through which the way holds the
// guest's Operator. Each operator gets a connection of its own to this host, on which that Operator is served.
type way struct {
	port     string       // QEMU's socket
	path     string       // the socket for operators
	listener net.Listener // nil: no operators

	mu        sync.Mutex
	conn      *vat.Conn     // the current connection through the port
	guest     capnp.Client  // the guest's Operator; valid from its answer until the connection ends
	turned    chan struct{} // closed and replaced when guest becomes valid
	operators map[*vat.Conn]struct{}
	closed    bool
}

func newWay(port string) *way {
	return &way{port: port, turned: make(chan struct{}), operators: map[*vat.Conn]struct{}{}}
}

// listen opens the socket for operators.
func (w *way) listen(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := plat.ListenPrivate(path)
	if err != nil {
		return err
	}
	w.path, w.listener = path, listener
	go w.accept()
	return nil
}

// keep maintains a connection through the port, and opens a new one when it ends, until the guest has ended.
func (w *way) keep(over <-chan struct{}) {
	for {
		if socket, err := net.Dial("unix", w.port); err == nil {
			conn := vat.Connect(socket, capnp.Client{})
			if !w.begin(conn) {
				return
			}
			w.open(conn)
			<-conn.Done()
			conn.Close()
			w.hangUp()
		}
		select {
		case <-time.After(dialPause):
		case <-over:
			return
		}
	}
}

// begin registers the connection. It returns false if the way is closed.
func (w *way) begin(conn *vat.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		conn.Close()
		return false
	}
	w.conn = conn
	return true
}

// open admits operators once the guest has answered. It returns early if the connection ends.
func (w *way) open(conn *vat.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-conn.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	guest, err := conn.Bootstrap(ctx)
	if err != nil {
		conn.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guest = guest
	close(w.turned)
	w.turned = make(chan struct{})
}

// again ends the connection through the port, because the guest has closed its end. Data in flight is lost.
func (w *way) again() {
	w.mu.Lock()
	conn := w.conn
	w.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}

// hangUp closes the connections of all operators, because their capabilities belong to a connection that has ended.
// Operators that connect later wait for the next connection.
func (w *way) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guest.Release()
	w.guest = capnp.Client{}
	for conn := range w.operators {
		go conn.Close()
	}
}

func (w *way) accept() {
	for {
		socket, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.admit(socket)
	}
}

// admit serves the guest's Operator to an operator.
func (w *way) admit(socket net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.through(ctx, func(guest capnp.Client) { w.connect(socket, guest) }); err != nil {
		socket.Close()
	}
}

// operator waits for the guest's Operator and returns it. The caller releases it.
func (w *way) operator(ctx context.Context) (client capnp.Client, err error) {
	err = w.through(ctx, func(guest capnp.Client) { client = guest.AddRef() })
	return client, err
}

// through waits until the guest answers, and calls take with its Operator under the lock. What take registers is closed
// by hangUp when the connection ends.
func (w *way) through(ctx context.Context, take func(guest capnp.Client)) error {
	for {
		w.mu.Lock()
		turned, there := w.turned, w.guest.IsValid()
		if there {
			take(w.guest)
		}
		w.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return fmt.Errorf("cannot reach the guest: %w", ctx.Err())
		}
	}
}

// connect serves an operator. The lock is held.
func (w *way) connect(socket net.Conn, guest capnp.Client) {
	if w.closed || len(w.operators) >= maxOperators {
		socket.Close()
		return
	}
	conn := vat.Connect(socket, guest.AddRef())
	w.operators[conn] = struct{}{}
	go func() {
		<-conn.Done()
		w.mu.Lock()
		delete(w.operators, conn)
		w.mu.Unlock()
	}()
}

// close ends all connections and the listener.
func (w *way) close() {
	w.mu.Lock()
	w.closed = true
	conn := w.conn
	w.mu.Unlock()
	if w.listener != nil {
		w.listener.Close()
		os.Remove(w.path)
	}
	if conn != nil {
		conn.Close()
	}
	w.hangUp()
}
