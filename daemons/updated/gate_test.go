package updated

import (
	"slices"
	"testing"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// onTrial is a device whose second set is on trial, and the gate to it.
func onTrial(t *testing.T) (*device, update.HealthGate, uint64) {
	t.Helper()
	d := newDevice(t)
	_, err := d.engine.Trial.Commit(d.tryOut(t, "1.0.0"), false)
	must(t, err)
	boot := d.tryOut(t, "1.1.0")
	gate := update.HealthGate_ServerToClient(&gateServer{d.engine.Trial, d.engine.Installed, nil})
	t.Cleanup(gate.Release)
	return d, gate, boot
}

// verdicts are the calls by which a holder of HealthGate speaks of one boot.
var verdicts = map[string]func(*testing.T, update.HealthGate, uint64) error{
	"healthOk": func(t *testing.T, gate update.HealthGate, boot uint64) error {
		answer, release := gate.HealthOk(t.Context(), func(p update.HealthGate_healthOk_Params) error {
			p.SetBoot(boot)
			return nil
		})
		defer release()
		res, err := answer.Struct()
		must(t, err)
		return convert.Refused(res.Refusal())
	},
	"healthFailed": func(t *testing.T, gate update.HealthGate, boot uint64) error {
		answer, release := gate.HealthFailed(t.Context(), func(p update.HealthGate_healthFailed_Params) error {
			p.SetBoot(boot)
			return p.SetReason(string(refusal.ServiceExited))
		})
		defer release()
		res, err := answer.Struct()
		must(t, err)
		return convert.Refused(res.Refusal())
	},
	"watchOver": func(t *testing.T, gate update.HealthGate, boot uint64) error {
		answer, release := gate.WatchOver(t.Context(), func(p update.HealthGate_watchOver_Params) error {
			p.SetBoot(boot)
			return nil
		})
		defer release()
		res, err := answer.Struct()
		must(t, err)
		return convert.Refused(res.Refusal())
	},
}

// TestGateKnowsOneBoot has the holder of HealthGate speak of every boot but the current one: refused each time, and the
// record, in memory and on the disk, is as it was.
func TestGateKnowsOneBoot(t *testing.T) {
	d, gate, boot := onTrial(t)
	before, written := d.engine.Record(), d.disk.Ops()
	for name, say := range verdicts {
		for _, other := range []uint64{0, 1, boot - 1, boot + 1, ^uint64(0)} {
			if err := say(t, gate, other); refusal.Of(err) != refusal.WrongBoot {
				t.Errorf("%s for boot %d, the current one is %d: %v, want wrong-boot", name, other, boot, err)
			}
		}
	}
	if now := d.engine.Record(); now.Pending != before.Pending || now.TriesLeft != before.TriesLeft ||
		len(now.Quarantine) != 0 {
		t.Errorf("the record is %+v, was %+v", now, before)
	}
	if now := d.disk.Ops(); !slices.Equal(now, written) {
		t.Errorf("written: %v", now[len(written):])
	}
}

// TestACommitIsNotTakenBack has the holder of HealthGate speak twice of one boot. A set that was confirmed for good may
// be found unhealthy later, but neither is it on trial again nor does that quarantine it.
func TestACommitIsNotTakenBack(t *testing.T) {
	d, gate, boot := onTrial(t)
	confirmed := d.engine.Record().Pending
	for range 2 {
		must(t, verdicts["healthOk"](t, gate, boot))
		wantActive(t, d, confirmed)
	}
	must(t, verdicts["healthFailed"](t, gate, boot))
	wantActive(t, d, confirmed)
	if now := d.engine.Record(); now.Pending != bootctl.None || now.HealthOK || len(now.Quarantine) != 0 {
		t.Errorf("a set that was confirmed: %+v", now)
	}
}

func wantActive(t *testing.T, d *device, want bootctl.Slot) {
	t.Helper()
	if got := d.engine.Record().Active; got != want {
		t.Errorf("slot %s is active, want %s", got, want)
	}
}

// TestGateTellsWhatIsInstalled has keystored told, at each point of an update, which sets the device cannot do without.
func TestGateTellsWhatIsInstalled(t *testing.T) {
	d := newDevice(t)
	gate := update.HealthGate_ServerToClient(&gateServer{d.engine.Trial, d.engine.Installed, nil})
	t.Cleanup(gate.Release)
	want := func(when string, needed ...bool) {
		t.Helper()
		answer, release := gate.Installed(t.Context(), nil)
		defer release()
		res, err := answer.Struct()
		must(t, err)
		sets, err := res.Sets()
		must(t, err)
		var got []bool
		for i := range sets.Len() {
			index, err := sets.At(i).Index()
			must(t, err)
			proof, err := sets.At(i).Signature()
			must(t, err)
			if _, err := nxs.VerifyIndex(index, proof, func(_, _ []byte) (trust.PublicKey, error) {
				return updatestest.Key(1).Public(), nil
			}); err != nil || len(proof) != nxs.SignatureSize {
				t.Errorf("%s: set %d with a proof of %d bytes: %v", when, i, len(proof), err)
			}
			got = append(got, sets.At(i).Needed())
		}
		if !slices.Equal(got, needed) {
			t.Errorf("%s: needed are %v, want %v", when, got, needed)
		}
	}
	want("nothing is installed")
	boot := d.tryOut(t, "1.0.0")
	want("the first set is on trial", true)
	_, err := d.engine.Trial.Commit(boot, false)
	must(t, err)
	want("it is confirmed", true)
	boot = d.tryOut(t, "1.1.0")
	want("the second one is on trial", true, true)
	watched, err := d.engine.Trial.Commit(boot, true)
	must(t, err)
	want("it is confirmed and under watch", watched, false)
}
