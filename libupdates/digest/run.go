package digest

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Run reads, writes and digests the streams, many at a time, and returns when nothing of it runs any more. It takes at
// most Memory bytes for buffers, however many streams there are and however large they are.
//
// Its error is that of the first stream, in the order of the slice, that has one: whatever ran beside it, the same
// streams fail with the same error. Streams after a failed one may have been left where they were. When the context
// ends, so does Run, with its cause.
func Run(ctx context.Context, streams []Stream) error {
	return run(ctx, streams, chooseHasher(len(streams), runtime.GOMAXPROCS(0)))
}

// run is Run with a hasher that the caller chose.
func run(ctx context.Context, streams []Stream, h hasher) error {
	r := &runner{
		streams: streams,
		queue:   largestFirst(streams),
		errs:    make([]error, len(streams)),
	}
	r.failed.Store(int64(len(streams)))
	var workers sync.WaitGroup
	inFlight := min(h.streams(), len(streams))
	for _, s := range h.seats(inFlight) {
		workers.Go(func() {
			defer s.leave()
			r.work(ctx, s, newRing(inFlight, streams[r.queue[0]].Size))
		})
	}
	workers.Wait()
	for _, err := range r.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// largestFirst is the order in which streams are begun: the last ones to end are then the small ones.
func largestFirst(streams []Stream) []int {
	order := make([]int, len(streams))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(streams[b].Size, streams[a].Size) })
	return order
}

// A runner is one call of Run.
type runner struct {
	streams []Stream
	queue   []int
	next    atomic.Int64 // place in the queue
	failed  atomic.Int64 // the first stream that failed so far, else their number
	errs    []error      // by stream, each written by the one worker that has it
}

// work does streams until none is left.
func (r *runner) work(ctx context.Context, s seat, buffers *ring) {
	for {
		at := r.next.Add(1) - 1
		if at >= int64(len(r.queue)) {
			return
		}
		i := r.queue[at]
		if err := r.pump(ctx, i, s, buffers); err != nil {
			r.errs[i] = err
			r.lower(int64(i))
		}
	}
}

// lower notes that a stream failed.
func (r *runner) lower(i int64) {
	for {
		first := r.failed.Load()
		if i >= first || r.failed.CompareAndSwap(first, i) {
			return
		}
	}
}

// moot tells whether the outcome of a stream no longer matters: one before it has failed.
func (r *runner) moot(i int) bool { return r.failed.Load() < int64(i) }
