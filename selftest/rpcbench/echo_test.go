package rpcbench

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// echoContender uses a bare socket, as the floor. A message is its length in four bytes and its content. Calls take
// turns.
func echoContender() contender {
	return contender{
		name:  "bare socket",
		about: "a length, the bytes, and back",
		serve: func(l net.Listener, ready func()) error { return accept(l, ready, echoConn) },
		dial: func(_ context.Context, path string) (client, error) {
			conn, err := net.Dial("unix", path)
			if err != nil {
				return nil, err
			}
			return &echoClient{conn: conn}, nil
		},
	}
}

// swallowed is the bit in a length that says not to send the message back.
const swallowed = 1 << 31

// echoConn sends each message back, except those to be discarded.
func echoConn(conn net.Conn) {
	buf := make([]byte, 4+bulkChunk)
	for {
		if _, err := io.ReadFull(conn, buf[:4]); err != nil {
			return
		}
		n := binary.LittleEndian.Uint32(buf)
		body := buf[4:][:min(n&^swallowed, bulkChunk)]
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		if n&swallowed != 0 {
			continue
		}
		if _, err := conn.Write(buf[:4+len(body)]); err != nil {
			return
		}
	}
}

type echoClient struct {
	mu   sync.Mutex
	conn net.Conn
	buf  []byte
}

func (c *echoClient) Call(_ context.Context, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(payload, 0); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, c.buf); err != nil {
		return err
	}
	return same(payload, c.buf[4:])
}

func (c *echoClient) Bulk(ctx context.Context, size int64) error {
	chunk := make([]byte, bulkChunk)
	for left := size; left > 0; left -= bulkChunk {
		if err := c.write(chunk[:min(left, bulkChunk)], swallowed); err != nil {
			return err
		}
	}
	return c.Call(ctx, chunk[:1])
}

func (c *echoClient) write(payload []byte, flag uint32) error {
	c.buf = binary.LittleEndian.AppendUint32(c.buf[:0], uint32(len(payload))|flag)
	c.buf = append(c.buf, payload...)
	_, err := c.conn.Write(c.buf)
	return err
}

func (c *echoClient) Close() error { return c.conn.Close() }
