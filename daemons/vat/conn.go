package vat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/rpc/transport"

	"nexus/daemons/vat/guard"
)

// A Stream is what a connection runs over: a socket, or a virtio port of a virtual machine.
type Stream = guard.Stream

// A Conn is one RPC connection, with a guard between the socket and the RPC library. Package guard says what a peer may
// do on it.
type Conn struct {
	rpc   *rpc.Conn
	guard *guard.Guard
}

// Connect speaks RPC over the socket and serves bootstrap on it. It takes ownership of both. The zero Client serves
// nothing.
func Connect(socket Stream, bootstrap capnp.Client, options ...guard.Option) *Conn {
	g := guard.New(socket, options...)
	return &Conn{rpc: rpc.NewConn(transport.New(g), &rpc.Options{BootstrapClient: bootstrap, Logger: quiet{}}),
		guard: g}
}

// Idle returns when the peer last sent a message, and whether the peer is busy: it has a call in flight, or holds a
// capability besides the bootstrap.
func (c *Conn) Idle() (since time.Time, busy bool) { return c.guard.Idle() }

// Attach sends a copy of f along with the next bytes written: with the next call or answer, or before it. A copy that
// has not been sent is replaced. Attach returns errors.ErrUnsupported if the stream is not a unix socket.
func (c *Conn) Attach(f *os.File) error { return c.guard.Attach(f) }

// Take returns the last descriptor that the peer sent beside its messages, which the caller closes, or nil.
func (c *Conn) Take() *os.File { return c.guard.Take() }

// Bootstrap waits for the peer's bootstrap capability and returns it. It does not pipeline on the promise: a pipelined
// call on an answer that turns out to be null would crash the peer.
func (c *Conn) Bootstrap(ctx context.Context) (capnp.Client, error) {
	client := c.rpc.Bootstrap(ctx)
	if err := client.Resolve(ctx); err != nil {
		client.Release()
		return capnp.Client{}, err
	}
	if err := broken(client); err != nil {
		client.Release()
		return capnp.Client{}, fmt.Errorf("cannot get bootstrap: %w", err)
	}
	return client, nil
}

// broken returns why a resolved client can never answer. If the peer serves nothing or is gone, the library returns a
// client that always fails, branded with the error.
func broken(client capnp.Client) error {
	if !client.IsValid() {
		return errors.New("the peer serves nothing")
	}
	snapshot := client.Snapshot()
	defer snapshot.Release()
	err, _ := snapshot.Brand().Value.(error)
	return err
}

// Ended reports whether the connection has ended; see Guard.Ended.
func (c *Conn) Ended() bool { return c.guard.Ended() }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.rpc.Done() }

// closeTimeout is how long the library may take to notice that its connection has ended.
const closeTimeout = time.Second

// Close ends the connection; calls in flight fail with `disconnected`. The socket is closed first: during its shutdown
// the library answers the calls that fail because of it with empty results, which a peer that still receives them would
// take for success. The library then shuts down by itself. Told to close, it would first wait for its running methods,
// and a method that waits for an answer from the peer would never return.
func (c *Conn) Close() {
	c.guard.HangUp()
	if c.guard.Outlives() {
		return
	}
	patience := time.NewTimer(closeTimeout)
	defer patience.Stop()
	select {
	case <-c.rpc.Done():
	case <-patience.C:
		c.rpc.Close()
	}
}

// Disconnected reports whether a call failed because its connection ended, so that getting the capability again may
// help.
func Disconnected(err error) bool {
	var socket *net.OpError // the call could not even be sent
	return err != nil && (exc.IsType(err, exc.Disconnected) || errors.Is(err, rpc.ErrConnClosed) ||
		errors.As(err, &socket))
}

// quiet discards the library's own log. It reports only lost connections there, and each caller learns of those from
// its call.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
