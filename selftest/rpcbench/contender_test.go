package rpcbench

import (
	"context"
	"net"
)

// A contender is one way to call another process.
type contender struct {
	name  string
	about string
	serve func(l net.Listener, ready func()) error // calls ready once it can be called; serves until it is killed
	dial  func(ctx context.Context, path string) (client, error)
	ready func() error // returns why it cannot be measured here; may be nil
}

// A client is the near end of a connection. Its methods may be called from any goroutine.
type client interface {
	// Call sends the bytes and waits until they have come back.
	Call(ctx context.Context, payload []byte) error
	Close() error
}

// A chainer can call an object for an object, that one for another, and echo on the last, without waiting in between.
type chainer interface {
	Chain(ctx context.Context, payload []byte) error
}

// A bulker can send a stream of bytes. It returns once the other side has received all of them.
type bulker interface {
	Bulk(ctx context.Context, size int64) error
}

// contenders returns all contenders; the first is the one that the others are compared with.
func contenders() []contender {
	return []contender{grpcContender(), nexusContender(), bareContender(), dbusContender(), echoContender()}
}

// bulkChunk is the size of one message of a stream, in bytes, the same as when `nx` sends an archive.
const bulkChunk = 512 << 10
