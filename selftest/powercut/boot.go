package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/oracle"
	"nexus/selftest/qemu"
)

// boot starts guests from some of the cuts, chosen by the seed, and compares what operators are told with what was
// acknowledged before.
func (r *recording) boot(ctx context.Context, d *device, seed uint64, boots, losses int, work string) error {
	total := 0
	r.each(seed, losses, func(cut) bool { total++; return true })
	picked := rand.New(rand.NewPCG(seed, uint64(total))).Perm(total)[:min(boots, total)]
	number := -1
	var failed error
	r.each(seed, losses, func(c cut) bool {
		if number++; slices.Contains(picked, number) {
			if err := r.bootFrom(ctx, d, c, work); err != nil {
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

func (r *recording) bootFrom(ctx context.Context, d *device, c cut, work string) error {
	d.machine.Disk, d.machine.Args = qemu.Disk{File: filepath.Join(work, "disk")}, patient()
	if err := c.disk.raw.store(d.machine.Disk.File); err != nil {
		return err
	}
	session, err := d.start()
	if err != nil {
		return err
	}
	defer session.end()
	defer context.AfterFunc(ctx, session.Kill)()
	now, err := session.quiet(r.sets)
	if err != nil {
		return err
	}
	was, ahead := r.around(c.requests)
	if was.Made && session.says(machine.LineNewDisk) {
		return fmt.Errorf("the disk was formatted again")
	}
	return promise{sets: r.sets}.toldAs(now, was, ahead)
}

// quiet waits until the system answers, no set is on trial or being received, and the confirmed set is healthy. It then
// has the system verify every byte of both slots, and returns its state. Every state on the way must be valid.
func (l *session) quiet(sets oracle.Sets) (now oracle.State, err error) {
	if err := l.awaitLine("updated: ready (statefs)", 1); err != nil {
		return now, err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(lookPause) {
		if bad := fatal(l.Since(0)); bad != "" {
			return now, fmt.Errorf("the guest: %s", bad)
		}
		now = oracle.State{}
		if err = l.ask(&now, "status"); err != nil {
			if l.gone() {
				return now, fmt.Errorf("the machine ended before it was healthy: %w", err)
			}
			continue // it may still be starting
		}
		if err := now.Check(sets); err != nil {
			return now, err
		}
		if now.HealthOK && now.PendingSlot == nil && !now.Staging {
			return now, l.intact(sets)
		}
	}
	return now, fmt.Errorf("the system is not healthy after %v: %+v (%w)", patience, now, err)
}

// intact has the system verify its slots, and checks its history.
func (l *session) intact(sets oracle.Sets) error {
	if out, status, err := l.run("verify"); err != nil || status != 0 {
		return fmt.Errorf("nx verify: status %d: %s (%w)", status, out, err)
	}
	var events []oracle.Event
	if err := l.ask(&events, "history"); err != nil {
		return err
	}
	for _, wrong := range oracle.WrongHistory(events, sets) {
		return wrong
	}
	return nil
}

// toldAs compares what an operator is told with what was acknowledged before a cut.
func (p promise) toldAs(now oracle.State, was stand, ahead []stand) error {
	active := now.Active().Digest()
	floor := oracle.Text(now.VersionFloor)
	confirmed, floored := was.Active == "" && active == named(p.sets, factory).Digest, false
	for _, s := range append([]stand{was}, ahead...) {
		floored = floored || s.Floor == floor
		if set := named(p.sets, s.Active); set != nil && set.Digest == active {
			confirmed = true
		}
	}
	switch bad := named(p.sets, broken).Digest; {
	case !confirmed:
		return fmt.Errorf("%.12s is active, but %q was confirmed", active, was.Active)
	case !floored:
		return fmt.Errorf("the version floor is %q, but was %q", floor, was.Floor)
	case was.Quarantine && now.Quarantined(bad) == "":
		return fmt.Errorf("%s is no longer in quarantine", broken)
	case !now.Persistent:
		return fmt.Errorf("the record is not persistent")
	}
	return nil
}
