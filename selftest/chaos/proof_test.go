package chaos_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/selftest/kit"
)

// TestInvariantsCanFail checks each invariant with a device that violates it and with one that does not.
func TestInvariantsCanFail(t *testing.T) {
	a := newArena(t, 1, 0, 1)
	b := newBench(a.library)
	delivered := func() *device {
		d := a.begin(b, onDisk, fault{}, -1)
		d.must(d.settle())
		return d
	}
	here, elsewhere := belief{active: factory}, belief{active: newer}
	one, other := trace{sees: here}, trace{sees: here, boot: 1}
	for _, c := range []struct {
		sentence        string
		holds, isBroken func() violation
	}{
		{sentence: saysStart,
			holds:    func() violation { return startIsExpected(beliefs{here}, here) },
			isBroken: func() violation { return startIsExpected(beliefs{here}, elsewhere) }},
		{sentence: saysNumbers,
			holds: func() violation { return delivered().numbersAreKept() },
			isBroken: func() violation {
				d := delivered()
				d.boot = d.engine.Record().Boot + 1
				return d.numbersAreKept()
			}},
		{sentence: saysResult,
			holds:    func() violation { return resultIsExpected("it", beliefs{here}, here) },
			isBroken: func() violation { return resultIsExpected("it", nil, here) }},
		{sentence: saysReason,
			holds: func() violation {
				return refusalIsExpected("it", []refusal.Reason{refusal.Stale},
					refusal.Stale)
			},
			isBroken: func() violation { return refusalIsExpected("it", nil, refusal.Stale) }},
		{sentence: saysRefusal,
			holds:    func() violation { return refusalChangesNothing("it", one, one) },
			isBroken: func() violation { return refusalChangesNothing("it", one, other) }},
		{sentence: saysVerified,
			holds:    func() violation { return publishedIsVerified(openedWith(t, delivered(), "")) },
			isBroken: func() violation { return publishedIsVerified(openedWith(t, delivered(), "another program")) }},
		{sentence: saysCounted,
			holds: func() violation { d := delivered(); return publishedIsCounted(d, d.runs) },
			isBroken: func() violation {
				d := delivered()
				d.runs.Boot++ // an attempt that was not counted
				return publishedIsCounted(d, d.runs)
			}},
		{sentence: saysBounded,
			holds:    func() violation { return attemptsAreBounded(maxAttempts) },
			isBroken: func() violation { return attemptsAreBounded(maxAttempts + 1) }},
		{sentence: saysStale,
			holds:    func() violation { d := delivered(); return d.staleVerdictsAreRefused(d.given) },
			isBroken: func() violation { d := delivered(); return d.staleVerdictsAreRefused(d.given + 1) }},
		{sentence: saysReported,
			holds: func() violation {
				r := rolledBack(t)
				return rollbackIsReported(r, bootctl.Attempt{Slot: bootctl.B}, refusal.HealthTimeout)
			},
			isBroken: func() violation {
				r := rolledBack(t)
				r.Quarantine = nil
				return rollbackIsReported(r, bootctl.Attempt{Slot: bootctl.B}, refusal.HealthTimeout)
			}},
		{sentence: saysSettled,
			holds: func() violation { return deviceIsSettled(delivered()) },
			isBroken: func() violation {
				d := delivered()
				d.runs.Digest = nxs.Digest{1} // something other than the committed set runs
				return deviceIsSettled(d)
			}},
		{sentence: saysGoesOn,
			holds: func() violation { return updatesGoOn(delivered()) },
			isBroken: func() violation {
				d := delivered()
				if err := d.begin(newer); err != nil { // a stage that never ends
					t.Fatal(err)
				}
				defer d.abandon()
				return updatesGoOn(d)
			}},
		{sentence: saysClean,
			holds: func() violation { return diskIsClean(delivered()) },
			isBroken: func() violation {
				d := delivered()
				kit.Must(t, d.disk.Mkdir("sets/.stage"))
				return diskIsClean(d)
			}},
		{sentence: saysKept,
			holds: func() violation {
				d := a.begin(b, onVerity, fault{}, -1)
				d.must(d.settle())
				return payloadsAreKept(d)
			},
			isBroken: func() violation {
				d := a.begin(b, onVerity, fault{}, -1) // it has made no attempt since it has fs-verity
				return payloadsAreKept(d)
			}},
		{sentence: saysExchanged,
			holds: func() violation { return exchange{}.isMet(a.begin(b, onVerity, fault{}, -1)) },
			isBroken: func() violation {
				d := a.begin(b, onVerity, fault{}, -1)
				d.library = &library{versions: map[nxs.Digest]string{}} // so it puts the program of another set there
				return exchange{}.isMet(d)
			}},
		{sentence: saysState,
			holds:    func() violation { return stateIsExpected([]string{"a"}, "a") },
			isBroken: func() violation { return stateIsExpected([]string{"a"}, "ab") }},
		{sentence: saysNoFailure,
			holds: func() violation { return failureOf(delivered(), nil) },
			isBroken: func() violation {
				d := delivered()
				return failureOf(d, refusal.New(refusal.IO, "the disk works and the start failed"))
			}},
		{sentence: saysVersions,
			holds:    func() violation { return startsOnNewer(delivered()) },
			isBroken: func() violation { d := delivered(); d.disk.Forget(recordFile); return startsOnNewer(d) }},
		{sentence: saysHalves,
			holds: func() violation { return startsWithout(0)(delivered()) },
			isBroken: func() violation {
				d := delivered()
				raw := fileOf(d.disk)
				raw[secondHalf+40] ^= 0xff // the other half was damaged earlier
				kit.Must(t, d.disk.Overwrite(recordFile, raw))
				return startsWithout(0)(d)
			}},
	} {
		if v := c.holds(); v != (violation{}) {
			t.Errorf("a device that does nothing wrong: %s", v)
		}
		if v := c.isBroken(); v.sentence != c.sentence {
			t.Errorf("%s: a device that breaks it was found sound: %v", c.sentence, v)
		}
	}
}

// openedWith opens what the device runs, after its program was changed on disk.
func openedWith(t *testing.T, d *device, program string) *slots.Set {
	t.Helper()
	disk := d.disk.Clone()
	if program != "" {
		name := "sets/" + d.runs.Digest.String() + "/alpha.app.nxb/payload.elf"
		kit.Must(t, disk.Overwrite(name, []byte(program)))
	}
	set, err := slots.OpenSet(disk, d.runs.Slot, d.runs.Digest)
	kit.Must(t, err)
	return set
}

// rolledBack returns a record in which the trial of slot b was ended by the deadline.
func rolledBack(t *testing.T) bootctl.Record {
	t.Helper()
	r, serial, err := bootctl.New().Stage(bootctl.Content{Digest: bootctl.Digest{7}, Version: hanging})
	if err == nil {
		r, err = r.Switch(serial, tries)
	}
	r, a := r.BootAttempt()
	if err == nil {
		r, _, err = r.Fail(a.Boot, refusal.HealthTimeout, "")
	}
	kit.Must(t, err)
	return r
}

// TestReplayIsExact runs a course twice: both runs must make the same operations and leave the same disk.
func TestReplayIsExact(t *testing.T) {
	c, err := parseCourse("flow=commit,device=disk,fault=eio:40,cut=70,outcome=killed,cut=9,outcome=killed")
	kit.Must(t, err)
	var ends [2]*durabletest.Disk
	for i := range ends {
		d := replayed(t, c)
		if len(d.broken) > 0 {
			t.Fatal(d.broken)
		}
		ends[i] = d.disk
	}
	if ends[0].Sum() != ends[1].Sum() ||
		c.String() != "flow=commit,device=disk,fault=eio:40,cut=70,outcome=killed,cut=9,outcome=killed" {
		t.Error("a replay ends elsewhere")
	}
}

// failureOf returns the invariant that a start with this error violates.
func failureOf(d *device, err error) violation {
	d.broken = nil
	d.must(err)
	if len(d.broken) == 0 {
		return violation{}
	}
	return d.broken[0]
}
