package guard

import (
	"sync"

	"capnproto.org/go/capnp/v3"
)

// A shelf keeps the room of large messages for the next ones: a stream of bulk data would otherwise be all work for the
// garbage collector. The library gives a message back when the call that it made has ended, as it does with messages
// that it reads itself: what a handler wants to keep of its parameters, and a caller of its results, it copies.
type shelf struct{ pool sync.Pool }

// get returns room for size bytes, with any content.
func (s *shelf) get(size int) []byte {
	if room, ok := s.pool.Get().(*[]byte); ok && cap(*room) >= size {
		return (*room)[:0]
	}
	return make([]byte, 0, size)
}

// A lent arena is one whose room goes back to the shelf.
type lent struct {
	capnp.Arena
	room  []byte
	shelf *shelf
}

// Release gives the room back. The library calls it at most once.
func (l *lent) Release() {
	l.Arena.Release()
	if l.room != nil {
		l.shelf.pool.Put(&l.room)
	}
}
