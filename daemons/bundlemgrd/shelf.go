package bundlemgrd

import (
	"sync/atomic"

	"nexus/daemons/vat"
)

// A shelf holds the current publication. It is swapped as a whole, so that a reader never sees parts of two.
type shelf struct {
	changed *vat.Notifier // notified after each publication
	current atomic.Pointer[publication]
}

func newShelf() *shelf {
	s := &shelf{changed: vat.NewNotifier()}
	s.current.Store(&publication{})
	return s
}

// now returns the current publication.
func (s *shelf) now() *publication { return s.current.Load() }

// put replaces the current publication by next. Open blobs stay open.
func (s *shelf) put(next *publication) {
	s.current.Store(next)
	s.changed.Notify()
}
