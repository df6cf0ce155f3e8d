package guard

import (
	"encoding/binary"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"
)

// batchBytes is how many bytes of small messages may wait to be written. The sender that exceeds it writes them, so
// that a peer that does not read is noticed by those that write to it.
const batchBytes = 32 << 10

// A writer writes messages to the stream in the order it gets them. Small messages that are ready at the same time are
// written together, so that the peer wakes only once. A message that its sender waits for, with nothing else in flight,
// is written at once.
type writer struct {
	stream   Stream
	patience time.Duration
	lost     func(error) // called without the lock when a write failed that nobody waited for

	mu       sync.Mutex // held while writing
	pending  []byte
	err      error    // of a write; the stream is torn and nothing more is written
	attached *os.File // sent with the next bytes, if not nil
	kicked   chan struct{}
}

func newWriter(stream Stream, patience time.Duration, lost func(error)) *writer {
	return &writer{stream: stream, patience: patience, lost: lost, kicked: make(chan struct{}, 1)}
}

// run writes queued messages until over is closed.
func (w *writer) run(over <-chan struct{}) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.detach()
	}()
	for {
		select {
		case <-w.kicked:
		case <-over:
			return
		}
		runtime.Gosched() // lets other senders add their messages
		w.mu.Lock()
		err := w.flush()
		w.mu.Unlock()
		if err != nil {
			w.lost(err)
			return
		}
	}
}

// add writes a message if now is set, or queues it to be written with others. The error is that of this or of an
// earlier write.
func (w *writer) add(msg *capnp.Message, now bool) error {
	segments, size, err := segmentsOf(msg)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	w.pending = appendTable(w.pending, segments)
	if now || len(w.pending)+size > batchBytes {
		return w.write(append(net.Buffers{w.pending}, segments...))
	}
	for _, s := range segments {
		w.pending = append(w.pending, s...)
	}
	select {
	case w.kicked <- struct{}{}:
	default:
	}
	return nil
}

// flush writes what is queued. The lock is held.
func (w *writer) flush() error {
	if w.err != nil || len(w.pending) == 0 {
		return w.err
	}
	return w.write(net.Buffers{w.pending})
}

// write writes the buffers. all includes what is queued. The lock is held.
func (w *writer) write(all net.Buffers) error {
	w.stream.SetWriteDeadline(time.Now().Add(w.patience))
	if w.attached != nil {
		all, w.err = w.writeAttached(all)
	}
	if w.err == nil {
		_, w.err = all.WriteTo(w.stream)
	}
	w.pending = w.pending[:0]
	return w.err
}

// drain writes what is queued; it waits for the peer for at most patience.
func (w *writer) drain(patience time.Duration) {
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	w.patience = patience
	w.flush()
}

// last writes one message after all others and waits for at most patience. It does nothing if a write is in progress,
// because that may wait for a peer that does not read.
func (w *writer) last(msg *capnp.Message, patience time.Duration) {
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	segments, _, err := segmentsOf(msg)
	if err != nil || w.err != nil {
		return
	}
	w.pending = appendTable(w.pending, segments)
	w.patience = patience
	w.write(append(net.Buffers{w.pending}, segments...))
}

func segmentsOf(msg *capnp.Message) (segments [][]byte, size int, err error) {
	segments = make([][]byte, msg.NumSegments())
	for i := range segments {
		s, err := msg.Segment(capnp.SegmentID(i))
		if err != nil {
			return nil, 0, err
		}
		segments[i] = s.Data()
		size += len(segments[i])
	}
	return segments, size, nil
}

// appendTable appends the segment table of a message: number of segments less one, their sizes in words, and padding.
func appendTable(b []byte, segments [][]byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(segments)-1))
	for _, s := range segments {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)/wordSize))
	}
	if len(segments)%2 == 0 {
		b = binary.LittleEndian.AppendUint32(b, 0)
	}
	return b
}
