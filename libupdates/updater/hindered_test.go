package updater

import (
	"reflect"
	"testing"

	"nexus/libupdates/refusal"
)

// No trial begins on a machine that can start no service. The set stays staged, and the record as it was.
func TestHinderedSwitch(t *testing.T) {
	d := newDevice(t)
	d.confirm(t, "1.0.0")
	must(t, d.put(t, "1.1.0"))
	d.Staging.cfg.Hindered = "the limit of open files is 60"
	before := d.Record()
	if err := d.Switch(t.Context(), before.StageSerial); refusal.Of(err) != refusal.Hindered {
		t.Errorf("got %v", err)
	}
	if after := d.Record(); !reflect.DeepEqual(after, before) || after.Staged.IsEmpty() {
		t.Errorf("the record is %+v, was %+v", after, before)
	}
	if err := d.Switch(t.Context(), before.StageSerial+1); refusal.Of(err) != refusal.Stale {
		t.Errorf("what is stale: %v", err)
	}
	d.Staging.cfg.Hindered = ""
	must(t, d.Switch(t.Context(), before.StageSerial))
}
