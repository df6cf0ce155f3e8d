package slots

import (
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// What a stage may hold in memory between the archive and the disk: 4 MiB.
const (
	pieceBytes = 1 << 20 // also how much of a payload is received between two looks at the context
	pieces     = 4
)

// pieceSize is how large the pieces are: a set of small payloads needs no large ones.
func pieceSize(index nxs.Index) int {
	largest := int64(1)
	for _, entry := range index.Bundles {
		largest = max(largest, entry.PayloadSize)
	}
	return int(min(largest, pieceBytes))
}

// behind changes the disk behind whoever asks for the changes: one after the other, in the order in which they were
// asked for, while the asker goes on. After one that failed there are no more. So the disk sees the same changes as if
// the asker made them.
type behind struct {
	size    int // of a piece
	changes chan func() error
	free    chan []byte // pieces that hold nothing
	failed  chan struct{}
	over    chan struct{}
	err     error // why there are no more changes, valid after failed is closed
}

// startBehind starts for a set with that index.
func startBehind(index nxs.Index) *behind {
	b := &behind{
		size:    pieceSize(index),
		changes: make(chan func() error, pieces),
		free:    make(chan []byte, pieces),
		failed:  make(chan struct{}),
		over:    make(chan struct{}),
	}
	for range pieces {
		b.free <- nil // made when it is needed
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

// do asks for a change. Its error is that of an earlier one.
func (b *behind) do(change func() error) error {
	select {
	case <-b.failed:
		return b.err
	case b.changes <- change:
		return nil
	}
}

// piece waits for memory that the disk has done with.
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

// write asks for the first n bytes of a piece to be written, and takes the piece back. A payload that is nil is not
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

// wait ends the asking and returns when all changes were made, or one failed.
func (b *behind) wait() error {
	close(b.changes)
	<-b.over
	return b.err
}
