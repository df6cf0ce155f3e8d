package digest

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// Run reads, writes and hashes the streams, many in parallel, and returns when all of its goroutines have ended. Its
// buffers never exceed Memory, whatever the number and size of the streams.
//
// It returns the error of the first stream, in the order of the slice, that failed. This error does not depend on the
// order in which streams run. Streams after a failed one may be incomplete. If the context ends, Run returns its cause.
//
// Run gives its buffers back to the operating system: a daemon that verifies a set now and then would keep them.
func Run(ctx context.Context, streams []Stream) error {
	serially := 0
	for _, s := range streams {
		serially += int(s.Kinds & SHA256)
	}
	return run(ctx, streams, chooseHasher(serially, runtime.GOMAXPROCS(0)))
}

// run is Run with a given hasher.
func run(ctx context.Context, streams []Stream, h hasher) error {
	r := &runner{}
	for _, s := range streams {
		r.jobs = append(r.jobs, split(s)...)
	}
	r.queue = largestFirst(r.jobs)
	r.errs = make([]error, len(r.jobs))
	r.failed.Store(int64(len(r.jobs)))
	var workers sync.WaitGroup
	inFlight := min(h.streams(), len(r.jobs))
	written := slices.ContainsFunc(streams, func(s Stream) bool { return s.Write != nil })
	for _, s := range h.seats(inFlight) {
		workers.Go(func() {
			defer s.leave()
			buffers := newRing(inFlight, r.jobs[r.queue[0]].Size, written)
			r.buffers.Add(buffers.bytes())
			r.work(ctx, s, buffers)
		})
	}
	workers.Wait()
	if r.buffers.Load() > worthFreeing {
		debug.FreeOSMemory()
	}
	for _, err := range r.errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// largestFirst returns the order in which jobs are started, so that small ones are left at the end.
func largestFirst(jobs []job) []int {
	order := make([]int, len(jobs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(jobs[b].Size, jobs[a].Size) })
	return order
}

// A runner is one call of Run.
type runner struct {
	jobs   []job
	queue  []int
	next   atomic.Int64 // next position in the queue
	failed atomic.Int64 // index of the first job that has failed so far, or the number of jobs
	errs   []error      // by job; each is written only by the worker of that job

	buffers atomic.Int64 // their size in bytes
}

// work processes jobs until none is left.
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

// lower records that job i failed.
func (r *runner) lower(i int64) {
	for {
		first := r.failed.Load()
		if i >= first || r.failed.CompareAndSwap(first, i) {
			return
		}
	}
}

// moot reports whether the result of a job no longer matters because an earlier one has failed.
func (r *runner) moot(i int) bool { return r.failed.Load() < int64(i) }
