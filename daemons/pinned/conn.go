package pinned

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"nexus/libupdates/trust"
)

// What a device says first: a key that was proven may have been revoked.
const (
	admitted byte = iota
	refused
)

// ErrRefused says that the device does not take the key.
var ErrRefused = errors.New("the device does not take this key")

// Admit tells an operator that RPC follows.
func Admit(conn *tls.Conn) error { return say(conn, admitted) }

// Refuse tells an operator that the device does not take the key. The caller closes the connection.
func Refuse(conn *tls.Conn) error { return say(conn, refused) }

func say(conn *tls.Conn, word byte) error {
	_, err := conn.Write([]byte{word})
	return err
}

// connectTimeout bounds the way to a connection, with its handshake.
const connectTimeout = 10 * time.Second

// Dial connects to the device that has a key. ErrKey says that another device answers. Whether the device takes our key
// only the connection's first Read tells.
func Dial(ctx context.Context, address string, own trust.Signer, device trust.PublicKey) (*Conn, error) {
	config, err := Client(own, device)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(socket, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		socket.Close()
		return nil, told(err)
	}
	return &Conn{Conn: conn}, nil
}

// A Conn is an operator's connection to a device. Its first Read learns whether the device takes the key, so that
// nobody has to wait for that before they write.
type Conn struct {
	*tls.Conn
	welcome sync.Once

	mu  sync.Mutex
	err error // of the welcome
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	c.welcome.Do(c.hear)
	if err := c.Refused(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// hear reads whether the device takes the key.
func (c *Conn) hear() {
	var word [1]byte
	_, err := c.Conn.Read(word[:])
	if err = told(err); err == nil && word[0] != admitted {
		err = ErrRefused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Refused returns why the first Read failed: ErrRefused if the device does not take the key.
func (c *Conn) Refused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// told returns what an error of the handshake means: a device answers a key that it does not know with an alert.
func told(err error) error {
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
		return ErrRefused
	}
	return err
}
