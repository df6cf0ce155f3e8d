package rpcbench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"nexus/selftest/bench/table"
)

// The figures of one round for one contender, 0 for what it cannot do. Times are in microseconds.
const (
	serial   = iota // median time of sequential calls
	tail            // their 99th percentile
	inFlight        // calls per second with so many in flight
	stream          // MiB per second
	chain           // median time of chains of three
	figures
)

// concurrent is the number of concurrent calls.
const concurrent = 64

// columns are the figures of the table. Chains are told of below it.
func columns() []table.Column {
	show := func(format string, unit float64) func(float64) string {
		return func(v float64) string { return fmt.Sprintf(format, v/unit) }
	}
	return []table.Column{
		{Name: "serial p50", Show: show("%.1f µs", 1), Ratio: true},
		{Name: "serial p99", Show: show("%.1f µs", 1), Ratio: true},
		{Name: "64 in flight", Show: show("%.0f k/s", 1000), Ratio: true},
		{Name: "stream", Show: show("%.0f MiB/s", 1), Ratio: true},
	}
}

// effort says how much a round does.
type effort struct {
	calls int   // of each kind
	bulk  int64 // in bytes
}

// measure runs one round with one contender.
func measure(ctx context.Context, c client, e effort) ([]float64, error) {
	round := make([]float64, figures)
	payload := make([]byte, 64)
	call := func() error { return c.Call(ctx, payload) }
	times, err := repeat(e.calls, call)
	if err != nil {
		return nil, err
	}
	round[serial], round[tail] = micros(times[len(times)/2]), micros(times[len(times)*99/100])
	if round[inFlight], err = flood(e.calls, call); err != nil {
		return nil, err
	}
	if c, ok := c.(chainer); ok {
		times, err := repeat(e.calls/4, func() error { return c.Chain(ctx, payload) })
		if err != nil {
			return nil, err
		}
		round[chain] = micros(times[len(times)/2])
	}
	if c, ok := c.(bulker); ok {
		start := time.Now()
		if err := c.Bulk(ctx, e.bulk); err != nil {
			return nil, err
		}
		round[stream] = float64(e.bulk) / (1 << 20) / time.Since(start).Seconds()
	}
	return round, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

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
	for range concurrent {
		wg.Go(func() {
			for range n / concurrent {
				if err := do(); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n/concurrent*concurrent) / time.Since(start).Seconds(), first
}
