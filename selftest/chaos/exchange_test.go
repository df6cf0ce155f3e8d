package chaos_test

import (
	"context"
	"errors"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// An exchange is what somebody who can write to the disk does to a payload of the set that runs.
type exchange struct {
	name    string
	changes bool // one byte of it
	enables bool // the kernel verifies the new file against what is in it
}

func exchanges() []exchange {
	return []exchange{
		{"as signed, not verified by the kernel", false, false},
		{"as signed, verified by the kernel", false, true},
		{"another content, not verified by the kernel", true, false},
		{"another content, verified by the kernel", true, true},
	}
}

// TestExchangedPayloads stops every flow after every step, exchanges the payload of the set that runs, and starts
// again. A set whose payload is not what was signed is never published, whatever the kernel says of the file. One whose
// payload is as signed runs, and the kernel verifies it from then on.
func TestExchangedPayloads(t *testing.T) {
	a := newArena(t, 1, 0, *seed)
	b := newBench(a.library)
	starts, returns := 0, 0
	for _, f := range chosen(flows(), *whole) {
		for stop := range len(f.steps()) + 1 {
			for _, e := range exchanges() {
				d := a.begin(b, onVerity, fault{}, -1)
				d.performSome(f, stop)
				before := d.engine.Record()
				if before.WatchLeft == 1 {
					continue // the next attempt goes back in any case
				}
				d.check(e.isMet(d))
				starts++
				if d.engine != nil && d.engine.Record().Running() != before.Running() {
					returns++
				}
				for _, v := range d.broken {
					t.Errorf("flow=%s, stopped after %d steps, %s: %s", f.name, stop, e.name, v)
				}
			}
		}
	}
	t.Logf("%d starts, %d of them with the other slot", starts, returns)
	if returns == 0 || returns == starts {
		t.Error("the other slot never came back, or always")
	}
}

// isMet exchanges the payload, starts updated, and has it make one attempt.
func (e exchange) isMet(d *device) violation {
	d.abandon()
	r := d.engine.Record()
	set := r.Slot(r.Running())
	disk := d.disk.Clone()
	program := []byte("program of " + d.version(set))
	if e.changes {
		program[0]++
	}
	if err := e.put(disk, "sets/"+set.Digest.String()+"/alpha.app.nxb/"+nxb.PayloadFile, program); err != nil {
		return broke(saysExchanged, "%v", err)
	}
	d.runs, d.engine = updater.Publication{}, nil
	d.take(disk)
	if err := d.open(); err != nil {
		return broke(saysExchanged, "%v", err)
	}
	_, refused, err := d.engine.Trial.BootAttempt(context.Background(), 0)
	ran := bootctl.Digest(d.runs.Digest) == set.Digest
	damage := refused == nil || refusal.Of(refused) == refusal.Damaged || refusal.Of(refused) == refusal.DigestMismatch
	switch now := d.engine.Record(); {
	case err != nil || !damage:
		return broke(saysExchanged, "the attempt: %v", errors.Join(refused, err))
	case ran == e.changes:
		return broke(saysExchanged, "%s was published: %t", set.Version, ran)
	case now.IsQuarantined(set.Digest) && !r.IsQuarantined(set.Digest):
		return broke(saysExchanged, "%s is in quarantine", set.Version)
	}
	content, err := contentOf(d.disk.Clone(), r.Running())
	if !e.changes && (err != nil || content.Unkept != noDigest) {
		return broke(saysExchanged, "%s: %s, %v", set.Version, content.Unkept, err)
	}
	return violation{}
}

// put puts another file in the place of a payload.
func (e exchange) put(disk *durabletest.Disk, name string, program []byte) error {
	if err := disk.Remove(name); err != nil {
		return err
	}
	f, err := disk.Create(name, 0o755)
	if err != nil {
		return err
	}
	_, err = f.Write(program)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil || !e.enables {
		return err
	}
	return disk.EnableVerity(name)
}
