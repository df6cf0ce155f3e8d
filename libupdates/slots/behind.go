package slots

// What a stage may hold in memory between the archive and the disk: 4 MiB.
const (
	pieceBytes = 256 << 10 // also how much of a payload is received between two looks at the context
	pieces     = 16
)

// behind changes the disk behind whoever asks for the changes: one after the other, in the order in which they were asked for, while
// the asker goes on. After one that failed there are no more. So the disk sees the same changes as if the asker made them.
type behind struct {
	changes chan func() error
	free    chan []byte // pieces that hold nothing
	failed  chan struct{}
	over    chan struct{}
	err     error // why there are no more changes, valid after failed is closed
}

func startBehind() *behind {
	b := &behind{
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
			p = make([]byte, pieceBytes)
		}
		return p, nil
	}
}

// wait ends the asking and returns when all changes were made, or one failed.
func (b *behind) wait() error {
	close(b.changes)
	<-b.over
	return b.err
}
