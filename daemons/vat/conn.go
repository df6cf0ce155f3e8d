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

// A Stream is what a connection runs over: a socket, or a port that a machine has to the outside.
type Stream = guard.Stream

// A Conn is one RPC connection, with a guard between the socket and the library: see package guard for what a peer may
// do on it.
type Conn struct {
	rpc   *rpc.Conn
	guard *guard.Guard
}

// Connect speaks RPC over the socket and serves bootstrap on it, which it takes over. The zero Client serves nothing.
func Connect(socket Stream, bootstrap capnp.Client, options ...guard.Option) *Conn {
	g := guard.New(socket, options...)
	return &Conn{rpc: rpc.NewConn(transport.New(g), &rpc.Options{BootstrapClient: bootstrap, Logger: quiet{}}),
		guard: g}
}

// Idle tells since when the peer has said nothing, and whether it has anything under way: a call, or a capability that
// it holds beside the bootstrap.
func (c *Conn) Idle() (since time.Time, busy bool) { return c.guard.Idle() }

// Attach has an open file leave with the first bytes that are written from now on: with the next call, if not before.
// The caller keeps it open until that is answered. It is errors.ErrUnsupported on what is no unix socket.
func (c *Conn) Attach(f *os.File) error { return c.guard.Attach(f) }

// Bootstrap returns the peer's bootstrap once it has answered. It waits for the peer rather than pipelining on the
// promise: a pipelined call on an answer that turns out null would end the peer's process.
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

// broken returns why a resolved client can never answer. The library makes a client that always fails where a peer
// serves nothing or has gone, and brands it with its error.
func broken(client capnp.Client) error {
	if !client.IsValid() {
		return errors.New("the peer serves nothing")
	}
	snapshot := client.Snapshot()
	defer snapshot.Release()
	err, _ := snapshot.Brand().Value.(error)
	return err
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.rpc.Done() }

// closeTimeout is how long the library may take to see that its connection has ended.
const closeTimeout = time.Second

// Close ends the connection; calls in flight fail with `disconnected`. The socket goes first: while the library shuts
// down it answers calls that fail by it with empty results, which a peer that still hears them would take for success.
// The library is left to find out for itself: told to close, it would first wait for the methods that it runs, and
// leave those unanswered that wait for the peer.
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

// Disconnected tells whether a call failed because its connection ended, so that asking again for the capability may
// help.
func Disconnected(err error) bool {
	var socket *net.OpError // the call could not even be sent
	return err != nil && (exc.IsType(err, exc.Disconnected) || errors.Is(err, rpc.ErrConnClosed) ||
		errors.As(err, &socket))
}

// quiet drops the library's own log: what it reports there (a peer that went away) each caller learns from its own
// call.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
