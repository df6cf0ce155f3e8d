package main

import (
	"context"
	"net"
)

// A contender is one way to talk to another process.
type contender struct {
	name  string
	about string
	serve func(l net.Listener, ready func()) error // says when it can be called, and serves until the process is killed
	dial  func(ctx context.Context, path string) (client, error)
	ready func() error // why it cannot be measured here; nil when nothing is needed
}

// A client is the near end of a connection. Its methods may be called from many goroutines.
type client interface {
	// Call sends the bytes and waits until they have come back.
	Call(ctx context.Context, payload []byte) error
	Close() error
}

// A chainer can ask for an object of an object, and for an echo of that, without waiting in between.
type chainer interface {
	Chain(ctx context.Context, payload []byte) error
}

// A bulker can send a stream of bytes, and returns once the other side has had all of it.
type bulker interface {
	Bulk(ctx context.Context, size int64) error
}

// contenders are all that are measured, the one that the others are held against first.
func contenders() []contender {
	return []contender{grpcContender(), nexusContender(), bareContender(), dbusContender(), echoContender()}
}

// bulkChunk is what a stream sends at a time, in bytes: as `nx` sends an archive.
const bulkChunk = 512 << 10
