package vat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/rpc/transport"
)

// Bounds on what one connection may cost.
const (
	// maxMessage bounds one message: the largest chunk of an archive (1 MiB) or an index (1 MiB) with room for the call around it.
	maxMessage = 4 << 20
	// traverseFactor bounds how far overlapping pointers may unfold a message, as a multiple of its size.
	traverseFactor = 8
	// depthLimit bounds the nesting of a message. Our deepest type nests six levels.
	depthLimit = 32
	// writeTimeout is how long a peer may leave a message unread before its connection is closed.
	writeTimeout = 10 * time.Second
)

// A Stream is what a connection runs over: a socket, or a port that a machine has to the outside.
type Stream interface {
	io.ReadWriteCloser
	SetWriteDeadline(time.Time) error
}

// A Conn is one RPC connection with the bounds of this package.
type Conn struct {
	rpc    *rpc.Conn
	socket Stream
}

// Connect speaks RPC over the socket and serves bootstrap on it, which it takes over. The zero Client serves nothing.
func Connect(socket Stream, bootstrap capnp.Client) *Conn {
	t := transport.New(newCodec(socket))
	return &Conn{rpc: rpc.NewConn(t, &rpc.Options{BootstrapClient: bootstrap, Logger: quiet{}}), socket: socket}
}

// Bootstrap returns the peer's bootstrap once it has answered. It waits for the peer rather than pipelining on the promise: a
// pipelined call on an answer that turns out null would end the peer's process.
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

// broken returns why a resolved client can never answer. The library makes a client that always fails where a peer serves nothing or
// has gone, and brands it with its error.
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

// Close ends the connection; calls in flight fail with `disconnected`. The socket goes first: while the library shuts down it answers
// calls that fail by it with empty results, which a peer that still hears them would take for success.
func (c *Conn) Close() {
	c.socket.Close()
	c.rpc.Close()
}

// Disconnected tells whether a call failed because its connection ended, so that asking again for the capability may help.
func Disconnected(err error) bool {
	var socket *net.OpError // the call could not even be sent
	return err != nil && (exc.IsType(err, exc.Disconnected) || errors.Is(err, rpc.ErrConnClosed) || errors.As(err, &socket))
}

// A codec frames messages on a socket within the bounds of this package.
type codec struct {
	socket Stream
	dec    *capnp.Decoder
	enc    *capnp.Encoder
}

func newCodec(socket Stream) *codec {
	dec := capnp.NewDecoder(socket)
	dec.MaxMessageSize = maxMessage
	return &codec{socket: socket, dec: dec, enc: capnp.NewEncoder(socket)}
}

// Decode reads the next message and bounds what reading it may cost.
func (c *codec) Decode() (*capnp.Message, error) {
	msg, err := c.dec.Decode()
	if err != nil {
		return nil, err
	}
	size, err := msg.TotalSize()
	if err != nil {
		return nil, err
	}
	msg.ResetReadLimit(traverseFactor*size + 1<<16)
	msg.DepthLimit = depthLimit
	return msg, nil
}

// Encode writes one message. A late or failed write ends the connection: the library would go on with a torn stream.
func (c *codec) Encode(msg *capnp.Message) error {
	c.socket.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := c.enc.Encode(msg); err != nil {
		c.socket.Close()
		return err
	}
	return nil
}

func (c *codec) Close() error { return c.socket.Close() }

// quiet drops the library's own log: what it reports there (a peer that went away) each caller learns from its own call.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
