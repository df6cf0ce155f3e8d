package guard

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"
)

// A Stream is what a connection runs over: a socket, or a virtio port of a virtual machine. Deadlines and Close
// interrupt reads and writes in progress.
type Stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

const (
	// readAhead is the size of one read for small messages, in bytes.
	readAhead = 16 << 10
	// firstPart is how much of a large message must arrive before all of it is allocated, in bytes.
	firstPart = 64 << 10
)

// A frame is one message as received: the bytes of all its segments, in one allocation.
type frame struct {
	segments [][]byte
	size     int    // of all segments, in bytes
	room     []byte // the allocation, if it came from the shelf
	shelf    *shelf
}

// arena returns the frame as a read-only arena.
func (f frame) arena() capnp.Arena {
	var arena capnp.Arena
	if len(f.segments) == 1 {
		arena = capnp.SingleSegment(f.segments[0])
	} else {
		arena = capnp.MultiSegment(f.segments)
	}
	if f.room == nil {
		return arena
	}
	return &lent{arena, f.room, f.shelf}
}

// A framer cuts a stream into frames. A read that a deadline interrupts can be resumed without loss.
type framer struct {
	stream io.Reader
	ahead  []byte // ahead[at:end] has been read and not yet used
	at     int
	end    int

	header []byte // of the frame that is being read
	sizes  []int  // of its segments, in bytes; empty until the header is complete
	body   []byte // the part of it that has arrived
	total  int
	shelf  shelf
}

// idle reports whether no part of a frame has arrived.
func (f *framer) idle() bool { return f.at == f.end && len(f.header) == 0 }

// next reads until a frame is complete. It returns the stream's error, io.EOF if the stream ends between two frames, or
// a refusal.
func (f *framer) next() (frame, error) {
	if len(f.sizes) == 0 {
		if err := f.readHeader(); err != nil {
			return frame{}, err
		}
	}
	if err := f.readBody(); err != nil {
		return frame{}, err
	}
	out := frame{segments: make([][]byte, len(f.sizes)), size: f.total, shelf: &f.shelf}
	if f.total > firstPart {
		out.room = f.body
	}
	rest := f.body
	for i, size := range f.sizes {
		out.segments[i], rest = rest[:size:size], rest[size:]
	}
	f.header, f.sizes, f.body = f.header[:0], f.sizes[:0], nil
	return out, nil
}

// readHeader reads the segment table and checks it before anything is allocated for the segments.
func (f *framer) readHeader() error {
	if err := f.fillHeader(wordSize); err != nil {
		return err
	}
	last := binary.LittleEndian.Uint32(f.header)
	if last >= MaxSegments {
		return refuse(TooManySegments)
	}
	count := int(last) + 1
	if err := f.fillHeader((count/2 + 1) * wordSize); err != nil {
		return err
	}
	f.total = 0
	for i := range count {
		words := binary.LittleEndian.Uint32(f.header[4+4*i:])
		if words > MaxMessage/wordSize {
			return refuse(FrameTooBig)
		}
		f.sizes = append(f.sizes, int(words)*wordSize)
		f.total += int(words) * wordSize
	}
	if len(f.header)+f.total > MaxMessage {
		return refuse(FrameTooBig)
	}
	return nil
}

func (f *framer) fillHeader(size int) error {
	for len(f.header) < size {
		if f.at == f.end {
			if err := f.fill(); err != nil {
				return f.torn(err)
			}
		}
		n := min(size-len(f.header), f.end-f.at)
		f.header = append(f.header, f.ahead[f.at:f.at+n]...)
		f.at += n
	}
	return nil
}

// readBody reads the segments. A large message is allocated only after its first part has arrived.
func (f *framer) readBody() error {
	if f.body == nil {
		f.body = make([]byte, 0, min(f.total, firstPart))
	}
	for len(f.body) < f.total {
		if len(f.body) == cap(f.body) {
			f.body = append(f.shelf.get(f.total), f.body...)
		}
		if err := f.readInto(f.body[len(f.body):min(f.total, cap(f.body))]); err != nil {
			return f.torn(err)
		}
	}
	return nil
}

// readInto reads some bytes of the body: buffered bytes first, and the rest of a large body directly from the stream.
func (f *framer) readInto(room []byte) error {
	if f.at == f.end && len(room) >= len(f.ahead) {
		n, err := f.stream.Read(room)
		f.body = f.body[:len(f.body)+n]
		return unlessSome(n, err)
	}
	if f.at == f.end {
		if err := f.fill(); err != nil {
			return err
		}
	}
	n := copy(room, f.ahead[f.at:f.end])
	f.body = f.body[:len(f.body)+n]
	f.at += n
	return nil
}

func (f *framer) fill() error {
	n, err := f.stream.Read(f.ahead)
	f.at, f.end = 0, n
	return unlessSome(n, err)
}

// unlessSome drops an error that came together with bytes; the next read returns it again.
func unlessSome(n int, err error) error {
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	default:
		return err
	}
}

// torn distinguishes the end of the stream between two frames from the end within a frame.
func (f *framer) torn(err error) error {
	if errors.Is(err, io.EOF) && !f.idle() {
		return io.ErrUnexpectedEOF
	}
	return err
}

// late reports whether err is an expired deadline.
func late(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// A shelf reuses the memory of large messages, which would otherwise keep the garbage collector busy during bulk
// transfers. The library releases a message when the call that it belongs to has ended, as it does with messages that
// it reads itself. Handlers therefore copy what they keep of their parameters, and callers what they keep of their
// results.
type shelf struct{ pool sync.Pool }

// get returns size bytes of memory, with arbitrary content.
func (s *shelf) get(size int) []byte {
	if room, ok := s.pool.Get().(*[]byte); ok && cap(*room) >= size {
		return (*room)[:0]
	}
	return make([]byte, 0, size)
}

// A lent arena returns its memory to the shelf.
type lent struct {
	capnp.Arena
	room  []byte
	shelf *shelf
}

// Release returns the memory. The library calls it at most once.
func (l *lent) Release() {
	l.Arena.Release()
	if l.room != nil {
		l.shelf.pool.Put(&l.room)
	}
}
