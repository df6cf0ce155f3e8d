package vat

import (
	"fmt"
	"sync/atomic"

	"capnproto.org/go/capnp/v3/exc"
)

// A Quota counts what one client has of a kind. One per link is what keeps a client from using up what the others may
// have.
type Quota struct {
	what  string // in the plural
	limit int32
	used  atomic.Int32
}

// NewQuota allows limit of them at one time.
func NewQuota(what string, limit int32) *Quota { return &Quota{what: what, limit: limit} }

// Take counts one more, or refuses it as overloaded.
func (q *Quota) Take() error {
	if q.used.Add(1) > q.limit {
		q.used.Add(-1)
		return exc.New(exc.Overloaded, "", fmt.Sprintf("too many open %s: the limit is %d", q.what, q.limit))
	}
	return nil
}

// Give gives one back.
func (q *Quota) Give() { q.used.Add(-1) }
