package powercut

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"nexus/daemons/initd/machine"
	"nexus/selftest/qemu"
)

// A cut is one state in which the disk may be left.
type cut struct {
	requests int // requests so far: everything before the last barrier is on the disk
	variant  int // which loss of those after the barrier; 0: all of them
	disk     *tracked
}

// replayed is the result of a replay.
type replayed struct {
	requests, barriers, cuts, distinct, fresh, mended int
	states, twice                                     int // disks with one state, and with another one, for a rollback
	// disks with a set that has no name yet, of which the kernel verifies no payload, some, or all
	plain, partly, kept int
}

// count counts a disk that keeps the promise.
func (d *replayed) count(f *found) {
	switch {
	case f.fresh:
		d.fresh++
	case len(f.mended) > 0:
		d.mended++
	}
	switch n := f.unnamed; {
	case n == staging{}:
	case n.kept == 0:
		d.plain++
	case n.plain > 0:
		d.partly++
	default:
		d.kept++
	}
	switch len(f.states) {
	case 1:
		d.states++
	case 2:
		d.twice++
	}
}

// replay checks every state in which barriers may leave the disk, and some losses in between. It returns the first one
// that violates the promise. Cuts are checked in parallel.
func (r *recording) replay(ctx context.Context, seed uint64, losses int, work string) (replayed, error) {
	done := replayed{requests: len(r.writes)}
	cuts := make(chan cut)
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for worker := range runtime.NumCPU() {
		all.Go(func() {
			dir := filepath.Join(work, fmt.Sprintf("look-%d", worker))
			os.MkdirAll(dir, 0o700)
			for c := range cuts {
				f, err := lookAt(c.disk.raw, dir, r.device.verify)
				if err == nil {
					was, ahead := r.around(c.requests)
					err = promise{sets: r.device.sets}.onDisk(f, was, ahead)
				}
				mu.Lock()
				if err == nil {
					done.count(f)
				} else if failed == nil {
					failed = r.keep(c, err, work)
				}
				mu.Unlock()
			}
		})
	}
	type look struct {
		sum uint64
		was string
	}
	seen := map[look]bool{}
	done.barriers = r.each(seed, losses, func(c cut) bool {
		mu.Lock()
		over := failed != nil || ctx.Err() != nil
		done.cuts++
		mu.Unlock()
		was, _ := r.around(c.requests)
		if this := (look{c.disk.sum, was.Name}); !over && !seen[this] {
			seen[this] = true
			c.disk = c.disk.clone()
			cuts <- c
		}
		return !over
	})
	close(cuts)
	all.Wait()
	done.distinct = len(seen)
	if failed == nil {
		failed = ctx.Err()
	}
	return done, failed
}

// each calls f for each cut, in order, until f returns false. It returns the number of barriers. f must not keep the
// disk.
func (r *recording) each(seed uint64, losses int, f func(cut) bool) (barriers int) {
	disk := &tracked{raw: make(image, diskSize)}
	after := barriersOf(r.writes)
	for i, begin := range after {
		end := len(r.writes)
		if i+1 < len(after) {
			end = after[i+1]
		}
		if !f(cut{requests: begin, disk: disk}) {
			return len(after)
		}
		unflushed := r.writes[begin:end]
		if i+1 < len(after) {
			// The last one is the barrier: once it is done, nothing before it is lost.
			unflushed = unflushed[:len(unflushed)-1]
		}
		random := rand.New(rand.NewPCG(seed, uint64(begin)))
		for variant := 1; variant <= losses && len(unflushed) > 1; variant++ {
			upTo := 1 + random.IntN(len(unflushed))
			lost := disk.clone()
			lost.apply(survivors(random, unflushed[:upTo])...)
			if !f(cut{requests: begin + upTo, variant: variant, disk: lost}) {
				return len(after)
			}
		}
		disk.apply(r.writes[begin:end]...)
	}
	return len(after)
}

// keep keeps the disk of a cut that violated the promise.
func (r *recording) keep(c cut, err error, work string) error {
	file := filepath.Join(work, "violation")
	if keepErr := c.disk.raw.store(file); keepErr != nil {
		return keepErr
	}
	was, _ := r.around(c.requests)
	return fmt.Errorf("after %d requests, loss %d, acknowledged was %q: %w; the disk is kept in %s", c.requests,
		c.variant, was.Name, err, file)
}

// boot starts guests from some of the cuts, chosen by the seed, and compares what operators are told with what was
// acknowledged before.
func (r *recording) boot(ctx context.Context, seed uint64, boots, losses int, work string) error {
	total := 0
	r.each(seed, losses, func(cut) bool { total++; return true })
	picked := rand.New(rand.NewPCG(seed, uint64(total))).Perm(total)[:min(boots, total)]
	number := -1
	var failed error
	r.each(seed, losses, func(c cut) bool {
		if number++; slices.Contains(picked, number) {
			if err := r.bootFrom(ctx, c, work); err != nil {
				failed = r.keep(c, err, work)
			}
		}
		return failed == nil && ctx.Err() == nil
	})
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}

func (r *recording) bootFrom(ctx context.Context, c cut, work string) error {
	disk := qemu.Disk{File: filepath.Join(work, "disk")}
	if err := c.disk.raw.store(disk.File); err != nil {
		return err
	}
	session, err := r.device.start(ctx, disk)
	if err != nil {
		return err
	}
	defer session.end()
	now, err := session.quiet()
	if err != nil {
		return err
	}
	was, ahead := r.around(c.requests)
	if was.Made && session.Count(machine.LineNewDisk) > 0 {
		return fmt.Errorf("the disk was formatted again")
	}
	p := promise{sets: r.device.sets, mayFail: true}
	if err := p.told(now, was, ahead); err != nil {
		return err
	}
	states, err := session.toldStates(now)
	return errors.Join(err, p.ownStates(states, was))
}
