package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A sample is one round's result for one contender. It is zero for what the contender cannot do.
type sample struct {
	serial   time.Duration // median time of sequential calls
	tail     time.Duration // their 99th percentile
	inFlight float64       // calls per second with 64 in flight
	chain    time.Duration // median time of chains of three
	bulk     float64       // in MiB per second
}

// inFlight is the number of concurrent calls.
const inFlight = 64

// effort says how much a round does.
type effort struct {
	calls int   // of each kind
	bulk  int64 // in bytes
}

// measure runs one round with one contender.
func measure(ctx context.Context, c client, e effort) (sample, error) {
	var s sample
	payload := make([]byte, 64)
	call := func() error { return c.Call(ctx, payload) }
	times, err := repeat(e.calls, call)
	if err != nil {
		return s, err
	}
	s.serial, s.tail = times[len(times)/2], times[len(times)*99/100]
	if s.inFlight, err = flood(e.calls, call); err != nil {
		return s, err
	}
	if c, ok := c.(chainer); ok {
		times, err := repeat(e.calls/4, func() error { return c.Chain(ctx, payload) })
		if err != nil {
			return s, err
		}
		s.chain = times[len(times)/2]
	}
	if c, ok := c.(bulker); ok {
		start := time.Now()
		if err := c.Bulk(ctx, e.bulk); err != nil {
			return s, err
		}
		s.bulk = float64(e.bulk) / (1 << 20) / time.Since(start).Seconds()
	}
	return s, nil
}

// repeat calls do n times and returns the durations, shortest first.
func repeat(n int, do func() error) ([]time.Duration, error) {
	times := make([]time.Duration, 0, n)
	for range n {
		start := time.Now()
		if err := do(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times, nil
}

// flood calls do n times from 64 goroutines and returns the calls per second.
func flood(n int, do func() error) (float64, error) {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	start := time.Now()
	for range inFlight {
		wg.Go(func() {
			for range n / inFlight {
				if err := do(); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n/inFlight*inFlight) / time.Since(start).Seconds(), first
}
