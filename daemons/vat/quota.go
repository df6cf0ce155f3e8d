package vat

import (
	"fmt"
	"sync/atomic"

	"capnproto.org/go/capnp/v3/exc"
)

// A Quota limits how many things of one kind a client may have. There is one per link, so that a client cannot use up
// what the others may have.
type Quota struct {
	what  string // what is counted, in the plural
	limit int32
	used  atomic.Int32
}

// NewQuota returns a quota that allows limit things at one time.
func NewQuota(what string, limit int32) *Quota { return &Quota{what: what, limit: limit} }

// Take counts one more, or fails as overloaded.
func (q *Quota) Take() error {
	if q.used.Add(1) > q.limit {
		q.used.Add(-1)
		return exc.New(exc.Overloaded, "", fmt.Sprintf("too many open %s: the limit is %d", q.what, q.limit))
	}
	return nil
}

// Give gives one back.
func (q *Quota) Give() { q.used.Add(-1) }
