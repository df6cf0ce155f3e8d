package guard

import (
	"sync"

	"capnproto.org/go/capnp/v3"
)

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
