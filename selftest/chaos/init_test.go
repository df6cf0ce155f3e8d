package chaos_test

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// maxAttempts bounds the boot attempts after a command or a start: those of a trial, the one that ends it, and as many
// again that a fault of the disk made void.
const maxAttempts = 2*tries + 2

// settle plays PID 1. It makes attempts until one is committed or there is no set to return to. It gives up if the disk
// does not recover.
func (d *device) settle() error {
	for faults := 0; !d.dead() && d.engine != nil; {
		d.attempts++
		if !d.check(attemptsAreBounded(d.attempts)) {
			return nil
		}
		over, err := d.attempt()
		switch {
		case over:
			return nil
		case err != nil:
			if faults++; faults > tries {
				return err
			}
			d.attempts--
		}
	}
	return durabletest.ErrCut
}

// attemptOnly begins an attempt without a verdict.
func (d *device) attemptOnly() error {
	return d.command("attempt", attempting, func() error {
		_, _, err := d.engine.Trial.BootAttempt(context.Background(), 0)
		return err
	})
}

// attempt makes one boot attempt and delivers its verdict. over reports whether no other attempt follows.
func (d *device) attempt() (over bool, err error) {
	var a updater.Attempt
	var unpublished error
	err = d.command("attempt", attempting, func() error {
		a, unpublished, err = d.engine.Trial.BootAttempt(context.Background(), 0)
		return err
	})
	if err != nil || d.dead() {
		return false, err
	}
	d.given = a.Boot
	version := d.version(d.engine.Record().Slot(a.Slot))
	if unpublished != nil {
		if refusal.Of(unpublished) == refusal.IO {
			return d.fail(a, refusal.CoreNotReady) // as initd says it
		}
		return d.fail(a, refusal.PublishFailed)
	}
	d.check(d.staleVerdictsAreRefused(a.Boot))
	if err := d.serve(version); err != nil {
		return false, err
	}
	switch natureOf(version) {
	case exits:
		return d.fail(a, refusal.ServiceExited)
	case hangs:
		return d.fail(a, refusal.HealthTimeout)
	case starve:
		return d.fail(a, refusal.Hindered)
	case kills:
		return false, d.crash()
	}
	return d.commit(a)
}

func (d *device) commit(a updater.Attempt) (over bool, err error) {
	for range tries + 1 { // a verdict that could not be recorded is delivered again
		err = d.command("commit", committing(d.watches), func() error {
			_, err = d.engine.Trial.Commit(a.Boot, d.watches)
			return err
		})
		if !isFault(err) || d.dead() {
			break
		}
	}
	d.tidyState()
	return err == nil, err
}

func (d *device) fail(a updater.Attempt, why refusal.Reason) (over bool, err error) {
	var verdict bootctl.Verdict
	for range tries + 1 {
		err = d.command("fail", failing(why), func() error {
			verdict, err = d.engine.Trial.Fail(context.Background(),
				updater.Failure{Boot: a.Boot, Reason: why, Detail: "a test said so"})
			return err
		})
		if !isFault(err) || d.dead() {
			break
		}
	}
	if err == nil && verdict == bootctl.RolledBack {
		d.check(rollbackIsReported(d.engine.Record(), a.Attempt, why))
	}
	return err == nil && verdict == bootctl.Stays, err
}

// hold ends the watch.
func (d *device) hold() error {
	return d.command("hold", holding, func() error { return d.engine.Trial.EndWatch(d.engine.Record().Boot) })
}

// crash does what a set does that takes the machine down: the machine stops and starts again, with what was
// acknowledged to it.
func (d *device) crash() error {
	issued := d.disk.Clone()
	d.lose(issued)
	d.take(issued)
	d.may = d.afterCut()
	d.given, d.runs = 0, updater.Publication{}
	err := d.start(d.may)
	if isFault(err) && !d.dead() {
		err = d.start(d.may)
	}
	return err
}

// lose drops what is not on the disk, as a power cut does.
func (d *device) lose(disk *durabletest.Disk) {
	if !d.kind.lasts() {
		disk.Forget(recordFile)
	}
}

// afterCut returns the states that may be true after a power cut now.
func (d *device) afterCut() beliefs {
	if d.kind.lasts() {
		return d.may
	}
	var after beliefs
	for _, b := range d.may {
		after = after.with(b.forgotten())
		// a switch that is forgotten may have been acknowledged before its links moved, and updated killed before them
		for _, was := range d.around {
			if b.trial && was.active == b.active {
				after = after.with(was.forgotten())
			}
		}
	}
	return after
}
