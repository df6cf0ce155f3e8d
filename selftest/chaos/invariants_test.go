package chaos_test

import (
	"context"
	"fmt"
	"slices"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updater"
)

// A violation says which invariant does not hold, and what was observed. The zero violation is none.
type violation struct {
	sentence string
	seen     string
}

func (v violation) String() string { return v.sentence + ": " + v.seen }

// broke returns a violation of an invariant.
func broke(sentence, format string, args ...any) violation {
	return violation{sentence, fmt.Sprintf(format, args...)}
}

// check records a violation. It reports whether there was none.
func (d *device) check(v violation) bool {
	if v == (violation{}) {
		return true
	}
	d.broken = append(d.broken, v)
	return false
}

// The invariants.
const (
	saysStart     = "a start finds the last acknowledged state, or the complete result of a command in flight"
	saysNumbers   = "attempt numbers never decrease across a start, so that a verdict from before it never counts"
	saysResult    = "an acknowledged command did what its rule says, and nothing else"
	saysReason    = "a command is refused for the reason that its rule names"
	saysRefusal   = "a refusal changes no byte on the disk and nothing in the record"
	saysVerified  = "what is published is the very set that its digest names, and every byte of it verifies"
	saysCounted   = "nothing is published before its attempt is durable"
	saysBounded   = "a trial ends after its tries: attempts are bounded, and the last one is for a proven set"
	saysStale     = "a verdict counts only for the current attempt"
	saysReported  = "a rollback names its set and its reason, and the set is in quarantine if it was to blame"
	saysSettled   = "after every cut the device settles with a proven set, committed and published"
	saysGoesOn    = "after every cut and every fault the next update works"
	saysClean     = "nothing is left behind: two links, one to the active slot, and the sets that the slots lead to"
	saysKept      = "on a file system with fs-verity, the kernel verifies the payloads of all sets that were staged or run"
	saysExchanged = "a set whose payload is not what was signed is never published, whatever the kernel says of its file"
	saysVersions  = "a record of the next version is readable, and fields that only that version knows are kept"
	saysHalves    = "with either half of the record damaged, the device starts with the last acknowledged state or the one before"
	saysState     = "a program finds what its own version left, or in a trial what the version before it left"
	saysNoFailure = "a start never fails on a working disk"
)

func startIsExpected(expected beliefs, sees belief) violation {
	if slices.ContainsFunc(expected, func(b belief) bool { return b == sees }) {
		return violation{}
	}
	return broke(saysStart, "the state is %+v, want one of %+v", sees, expected)
}

func (d *device) numbersAreKept() violation {
	if r := d.engine.Record(); d.kind.lasts() && r.Boot < d.boot {
		return broke(saysNumbers, "attempt %d was acknowledged, but the record is at %d", d.boot, r.Boot)
	}
	return violation{}
}

func resultIsExpected(command string, expected beliefs, sees belief) violation {
	if slices.Contains(expected, sees) {
		return violation{}
	}
	return broke(saysResult, "after %s the state is %+v, want one of %+v", command, sees, expected)
}

func refusalIsExpected(command string, expected []refusal.Reason, got refusal.Reason) violation {
	if slices.Contains(expected, got) {
		return violation{}
	}
	return broke(saysReason, "%s was refused as %s, want one of %q", command, got, expected)
}

func refusalChangesNothing(command string, before, after trace) violation {
	if before == after {
		return violation{}
	}
	return broke(saysRefusal, "%s went from %+v to %+v", command, before, after)
}

// publishedIsVerified reads and verifies every byte of what is published.
func publishedIsVerified(set *slots.Set) violation {
	for _, b := range set.Bundles {
		if err := set.CheckPayload(b.Entry.Name); err != nil {
			return broke(saysVerified, "%v", err)
		}
	}
	return violation{}
}

// publishedIsCounted checks what a start would read now.
func publishedIsCounted(d *device, p updater.Publication) violation {
	disk := d.disk.Fork()
	if d.kind.lasts() {
		disk = disk.Reboot(durabletest.Outcomes()[0]) // only what was synced
	}
	r, err := recordOn(disk)
	switch {
	case err != nil:
		return broke(saysCounted, "%v", err)
	case r.Boot != p.Boot || r.Running() != p.Slot || !r.Begun():
		return broke(saysCounted, "attempt %d of slot %s; the record is at %d of slot %s", p.Boot, p.Slot, r.Boot,
			r.Running())
	}
	return violation{}
}

func recordOn(disk *durabletest.Disk) (r bootctl.Record, err error) {
	file, err := disk.CellFile(recordFile)
	if err != nil {
		return r, err
	}
	cell, err := durable.OpenCell(file)
	if err != nil {
		return r, err
	}
	raw, _ := cell.Load()
	return bootctl.Decode(raw)
}

func attemptsAreBounded(attempts int) violation {
	if attempts > maxAttempts {
		return broke(saysBounded, "attempt %d", attempts)
	}
	return violation{}
}

// staleVerdictsAreRefused delivers verdicts on attempts before and after the current one.
func (d *device) staleVerdictsAreRefused(boot uint64) violation {
	before := d.trace()
	for _, number := range []uint64{boot - 1, boot + 1} {
		_, err := d.engine.Trial.Commit(number, false)
		if isFault(err) { // a record in doubt is written first, which may fail
			return violation{}
		}
		if refusal.Of(err) != refusal.WrongBoot {
			return broke(saysStale, "a commit of attempt %d during attempt %d: %v", number, boot, err)
		}
		_, err = d.engine.Trial.Fail(context.Background(), updater.Failure{Boot: number, Reason: refusal.ServiceExited})
		if refusal.Of(err) != refusal.WrongBoot {
			return broke(saysStale, "a bad verdict on attempt %d during attempt %d: %v", number, boot, err)
		}
	}
	if before != d.trace() {
		return broke(saysStale, "a refused verdict changed something")
	}
	return violation{}
}

func rollbackIsReported(r bootctl.Record, a bootctl.Attempt, why refusal.Reason) violation {
	left := r.Slot(a.Slot)
	if last := r.LastRollback; last == nil || last.Digest != left.Digest || last.Reason != why ||
		r.IsQuarantined(left.Digest) == blameless(why) {
		return broke(saysReported, "slot %s was left for %s, the record says %+v", a.Slot, why, last)
	}
	return violation{}
}
