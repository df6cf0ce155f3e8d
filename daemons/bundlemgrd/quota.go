package bundlemgrd

import (
	"fmt"
	"sync/atomic"

	"capnproto.org/go/capnp/v3/exc"
)

// What one client may have at one time.
const (
	maxBlobs   = 64
	maxWatches = 64
)

// A quota counts what one client has of a kind.
type quota struct {
	what  string
	limit int32
	used  atomic.Int32
}

func newQuota(what string, limit int32) *quota { return &quota{what: what, limit: limit} }

// take counts one more, or refuses it as overloaded.
func (q *quota) take() error {
	if q.used.Add(1) > q.limit {
		q.used.Add(-1)
		return exc.New(exc.Overloaded, "", fmt.Sprintf("too many open %s: the limit is %d", q.what, q.limit))
	}
	return nil
}

func (q *quota) give() { q.used.Add(-1) }
