package slots

import (
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// Together they bound the memory of a stage between archive and disk to 4 MiB.
const (
	pieceBytes = 1 << 20 // the context is also checked once per piece
	pieces     = 4
)

// piece returns the size of a piece. Sets with only small payloads need less memory, and a stage that is resumed has
// lost at most what was in memory.
func (in *incoming) piece(index nxs.Index) int {
	most := int64(pieceBytes)
	if in.resume {
		most = keptPiece
	}
	largest := int64(1)
	for _, entry := range index.Bundles {
		largest = max(largest, entry.PayloadSize)
	}
	return int(min(largest, most))
}

// behind makes changes to the disk while its user goes on: one after the other, in the order requested, and none after
// the first that fails. So the disk sees the same changes as if the user had made them itself.
type behind struct {
	size    int // of a piece, in bytes
	changes chan func() error
	free    chan []byte // pieces that are not in use
	failed  chan struct{}
	over    chan struct{}
	err     error // the first error; valid after failed is closed
}

// startBehind starts a writer of pieces of that size.
func startBehind(size int) *behind {
	b := &behind{
		size:    size,
		changes: make(chan func() error, pieces),
		free:    make(chan []byte, pieces),
		failed:  make(chan struct{}),
		over:    make(chan struct{}),
	}
	for range pieces {
		b.free <- nil // allocated on first use
	}
	go b.run()
	return b
}

func (b *behind) run() {
	defer close(b.over)
	for change := range b.changes {
		if b.err != nil {
			continue
		}
		if err := change(); err != nil {
			b.err = err
			close(b.failed)
		}
	}
}

// do requests a change. It returns the error of an earlier change, if any.
func (b *behind) do(change func() error) error {
	select {
	case <-b.failed:
		return b.err
	case b.changes <- change:
		return nil
	}
}

// piece returns a free piece, waiting for one if necessary.
func (b *behind) piece() ([]byte, error) {
	select {
	case <-b.failed:
		return nil, b.err
	case p := <-b.free:
		if p == nil {
			p = make([]byte, b.size)
		}
		return p, nil
	}
}

// write requests that the first n bytes of a piece be written, and takes back the piece. If payload is nil, nothing is
// written.
func (b *behind) write(payload durable.File, piece []byte, n int) error {
	if payload == nil || n == 0 {
		b.free <- piece
		return nil
	}
	return b.do(func() error {
		_, err := payload.Write(piece[:n])
		b.free <- piece
		return err
	})
}

// wait ends the requests and returns after all changes have been made or one has failed.
func (b *behind) wait() error {
	close(b.changes)
	<-b.over
	return b.err
}
