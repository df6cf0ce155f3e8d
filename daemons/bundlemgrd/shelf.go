package bundlemgrd

import (
	"sync/atomic"

	"nexus/daemons/vat"
)

// A shelf holds the current publication, which is swapped whole: whoever looks sees one, never parts of two.
type shelf struct {
	changed *vat.Notifier // after each publication
	current atomic.Pointer[publication]
}

func newShelf() *shelf {
	s := &shelf{changed: vat.NewNotifier()}
	s.current.Store(&publication{})
	return s
}

// now is what is published.
func (s *shelf) now() *publication { return s.current.Load() }

// put publishes next in place of what was published. Blobs that are open stay open.
func (s *shelf) put(next *publication) {
	s.current.Store(next)
	s.changed.Notify()
}
