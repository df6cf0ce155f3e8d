package world_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
)

// BenchmarkAttack compares the time of an update under each attack, and under all of them, with that of one without, in
// turns within one run. Attackers and daemons share the processors of one process, so it also measures an update beside
// goroutines that call nobody and use as much processor time as the attack just did, the daemons' work for it included.
// What an attack costs beyond that is waiting. It reports medians: of the undisturbed update, of the ratios to it, and
// of the share of one processor that the attack used.
func BenchmarkAttack(b *testing.B) {
	for _, way := range allAttacks {
		b.Run(way, func(b *testing.B) { benchmarkAttack(b, way) })
	}
	b.Run("all at once", func(b *testing.B) { benchmarkAttack(b, allAttacks...) })
}

func benchmarkAttack(b *testing.B, ways ...string) {
	u := &updating{b: b, w: besieged(b), slot: bootctl.A}
	u.o = u.w.Operator()
	var peace, attacked, burning, used []float64
	for b.Loop() {
		alone := u.measure()
		end := attack(b, u.w, ways...)
		under := u.measure()
		end()
		share := max(0, (under.processor-alone.processor).Seconds()/under.time.Seconds())
		end = burn(share)
		beside := u.measure()
		end()
		peace = append(peace, alone.time.Seconds()*1e3)
		attacked = append(attacked, under.time.Seconds()/alone.time.Seconds())
		burning = append(burning, beside.time.Seconds()/alone.time.Seconds())
		used = append(used, share)
	}
	b.ReportMetric(median(peace), "ms/update")
	b.ReportMetric(median(attacked), "×attacked")
	b.ReportMetric(median(burning), "×burning")
	b.ReportMetric(median(used), "processors")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// An updating brings one set after another to its commit.
type updating struct {
	b    *testing.B
	w    *world.World
	o    *world.Operator
	slot bootctl.Slot
	sets int
}

// A cost is what an update took: time, and processor time of this process, whoever used it.
type cost struct{ time, processor time.Duration }

func (u *updating) measure() cost {
	u.sets++
	u.slot = u.slot.Other()
	archive := besiegedSet(u.b, fmt.Sprintf("%d.0.0", u.sets+1), 8<<20)
	began, used := time.Now(), processorTime(syscall.RUSAGE_SELF)
	takesUp(u.b, u.w, u.o, archive, u.slot)
	return cost{time.Since(began), processorTime(syscall.RUSAGE_SELF) - used}
}

// processorTime returns how long this process, or this thread, has run.
func processorTime(of int) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(of, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// rusageThread is RUSAGE_THREAD of getrusage(2).
const rusageThread = 1

// burn uses that many processors until the returned function is called, in pieces of a millisecond.
func burn(processors float64) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var burning sync.WaitGroup
	for ; processors > 0; processors-- {
		share := min(processors, 1)
		burning.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began, before := time.Now(), processorTime(rusageThread)
			for ctx.Err() == nil {
				used := processorTime(rusageThread) - before
				if used.Seconds() >= share*time.Since(began).Seconds() {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	return func() {
		cancel()
		burning.Wait()
	}
}
