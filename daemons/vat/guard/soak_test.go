package guard_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// soak is how long TestSoak lasts: `go test ./daemons/vat/guard -run TestSoak -timeout 0 -args -soak 10m`.
var soak = flag.Duration("soak", 2*time.Second, "how long TestSoak lasts")

// How much the footprint may grow during a soak, regardless of its length.
const (
	spareGoroutines = 16
	spareFiles      = 4
	spareHeap       = 16 << 20 // bytes
)

// TestSoak checks that goroutines, descriptors and heap do not grow. It logs how long honest calls take, alone and
// beside the attackers.
func TestSoak(t *testing.T) {
	clients := []*pair{newPair(t), newPair(t)}
	alone := measure(clients, *soak/4)
	storm(t, *soak/4) // fills pools
	before := settled(t)

	done := make(chan int)
	go func() { done <- storm(t, *soak/2) }()
	beside := measure(clients, *soak/2)
	attacked := <-done
	after := settled(t)

	t.Logf("%d attacks; honest calls: alone %d, p99 %v; beside attackers %d, p99 %v", attacked, alone.calls,
		alone.p99(), beside.calls, beside.p99())
	t.Logf("before %+v, after %+v", before, after)
	if after.goroutines > before.goroutines+spareGoroutines || after.files > before.files+spareFiles ||
		after.heap > before.heap+spareHeap {
		t.Errorf("grew from %+v to %+v", before, after)
	}
}

// A tally counts calls by duration, in steps of ten microseconds. Its size does not depend on the number of calls,
// because it is part of the footprint that must not grow.
type tally struct {
	calls int
	steps [1 << 14]int
}

const step = 10 * time.Microsecond

func (l *tally) add(took time.Duration) {
	l.calls++
	l.steps[min(int(took/step), len(l.steps)-1)]++
}

// p99 returns the 99th percentile of the durations.
func (l *tally) p99() time.Duration {
	left := l.calls / 100
	for i := len(l.steps) - 1; i > 0; i-- {
		if left -= l.steps[i]; left < 0 {
			return time.Duration(i+1) * step
		}
	}
	return step
}

// measure has each client make calls without pause for d, and tallies their durations.
func measure(clients []*pair, d time.Duration) *tally {
	var mu sync.Mutex
	all := &tally{}
	var wg sync.WaitGroup
	for _, c := range clients {
		c := &pair{TB: c.TB, ctx: context.Background(), client: c.client}
		wg.Go(func() {
			for end := time.Now().Add(d); time.Now().Before(end); {
				start := time.Now()
				c.says(c.client, "soak")
				took := time.Since(start)
				mu.Lock()
				all.add(took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all
}

// storm runs random attacks, one after the other, for d, and returns their number.
func storm(t *testing.T, d time.Duration) int {
	all, random := attacks(), rand.New(rand.NewPCG(1, 2))
	n := 0
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		a := all[random.IntN(len(all))]
		if got := suffer(t, a); got != a.reason {
			t.Errorf("%s: refused for %q, want %q", a.name, got, a.reason)
		}
	}
	return n
}

// A footprint is what the process holds.
type footprint struct {
	goroutines, files int
	heap              uint64
}

// steadyLooks is how many measurements in a row must show no decrease: on a busy machine, goroutines that are ending
// sometimes have to wait for their turn.
const steadyLooks = 10

// settled returns the footprint once it has stopped shrinking.
func settled(t testing.TB) footprint {
	t.Helper()
	last := footprint{heap: ^uint64(0), goroutines: 1 << 30}
	steady := 0
	for deadline := time.Now().Add(limit); ; time.Sleep(hurry) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		now := footprint{runtime.NumGoroutine(), descriptors(t), m.HeapAlloc}
		if now.goroutines >= last.goroutines && now.heap+1<<16 >= last.heap {
			steady++
		} else {
			steady = 0
		}
		if steady == steadyLooks || time.Now().After(deadline) {
			return now
		}
		last = now
	}
}

// descriptors returns the number of open descriptors of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestNothingStays runs each quick attack twice: the second run must leave nothing more than the first, once all that
// ends has had its turn.
func TestNothingStays(t *testing.T) {
	round := func() {
		for _, a := range attacks() {
			if a.short == nil {
				suffer(t, a)
			}
		}
	}
	round()
	before := settled(t)
	round()
	after := settled(t)
	for deadline := time.Now().Add(limit); after.outgrows(before) && time.Now().Before(deadline); {
		after = settled(t)
	}
	if after.outgrows(before) {
		stacks := make([]byte, 1<<20)
		t.Errorf("grew from %+v to %+v:\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	}
}

func (f footprint) outgrows(before footprint) bool {
	return f.goroutines > before.goroutines+2 || f.files > before.files
}
