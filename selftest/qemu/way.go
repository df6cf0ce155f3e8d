package qemu

import (
	"context"
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
	patience     = 10 * time.Second // how long one waits for the guest to answer at all
)

// dialPause is how long to wait before QEMU's socket is tried again: QEMU makes it soon after its start.
const dialPause = 20 * time.Millisecond

// A way is how operators of this host get into a guest. A port carries one connection; each operator gets one of its own to this host's
// end of it, over which the guest's Operator is passed on.
type way struct {
	port     string       // QEMU's socket
	path     string       // ours, for operators
	listener net.Listener // nil: no operators
	guest    *vat.Holding // the guest's Operator

	mu        sync.Mutex
	conn      *vat.Conn // the connection through the port
	operators map[*vat.Conn]struct{}
	closed    bool
}

func newWay(port string) *way {
	return &way{port: port, guest: vat.NewHolding("Operator"), operators: map[*vat.Conn]struct{}{}}
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

// keep keeps a connection through the port, a new one whenever one has ended, until the guest is over.
func (w *way) keep(over <-chan struct{}) {
	for {
		if socket, err := net.Dial("unix", w.port); err == nil {
			conn := vat.Connect(socket, capnp.Client{})
			if !w.begin(conn) {
				return
			}
			w.guest.Renew(conn)
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

// begin notes the connection; it is refused when the way is closed.
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

// again ends the connection through the port, because the guest has closed its end of it. What was on its way is void.
func (w *way) again() {
	w.mu.Lock()
	conn := w.conn
	w.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}

// hangUp ends every operator's connection: what they hold is of a connection that has ended.
func (w *way) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
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

// admit gives an operator the guest's Operator.
func (w *way) admit(socket net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	guest, err := w.guest.Get(ctx)
	if err != nil {
		socket.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.operators) >= maxOperators {
		guest.Release()
		socket.Close()
		return
	}
	conn := vat.Connect(socket, guest)
	w.operators[conn] = struct{}{}
	go func() {
		<-conn.Done()
		w.mu.Lock()
		delete(w.operators, conn)
		w.mu.Unlock()
	}()
}

// close ends it all.
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
