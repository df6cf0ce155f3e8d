package updater

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// asking is a set whose second bundle asks for powers that come behind the payload of the first.
func asking(t *testing.T) (raw []byte, head int) {
	t.Helper()
	key := updatestest.Key(1)
	first := updatestest.Bundle("a", "1.0.0", nil, []byte(strings.Repeat("payload ", 1<<10)), key).Asking("BundleMgr")
	second := updatestest.Bundle("b", "1.0.0", nil, []byte("payload"), key).Asking("net.listen:tcp/80", "BundleMgr",
		"net.listen:tcp/81")
	x, err := updatestest.Index(key, "1.1.0", first, second).Encode()
	must(t, err)
	raw = updatestest.ArchiveOf(t, key, x, first, second)
	return raw, int(nxs.Places(&nxs.Head{Raw: x, Signature: make([]byte, 64)},
		[]nxs.Source{{Entry: first.Entry, RawManifest: first.Manifest}})[0])
}

// The policy is asked about the whole set before a byte of a payload has come: the sender of this one sends none.
func TestPolicyIsAskedBeforeThePayloads(t *testing.T) {
	d, _ := newStages(t)
	raw, head := asking(t)
	before := d.disk.Snapshot()
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	_ = s.Write(raw[:head]) // which may end early: the stage is over
	waitFor(t, "the outcome", s.over)
	want := "b asks for net.listen:tcp/80: the device has no policy that grants it; " +
		"b asks for net.listen:tcp/81: the device has no policy that grants it"
	if refusal.Of(s.err) != refusal.PolicyDenied || refusal.DetailOf(s.err) != want {
		t.Errorf("got %v, want %s", s.err, want)
	}
	if after := d.disk.Snapshot(); !reflect.DeepEqual(before, after) {
		t.Errorf("the disk was changed: %v, before %v", after, before)
	}
}

func TestWhatThePolicyGrantsIsStaged(t *testing.T) {
	d, _ := newStages(t)
	raw, _ := asking(t)
	var got []policy.Asking
	d.Staging.cfg.Judge = func(_ context.Context, publisher trust.PublicKey, set []policy.Asking) error {
		if publisher != updatestest.Key(1).Public() {
			t.Errorf("the set is not by %v", publisher)
		}
		got = set
		return nil
	}
	must(t, d.receive(t, raw))
	want := []policy.Asking{{Bundle: "b", Powers: []string{"net.listen:tcp/80", "net.listen:tcp/81"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	d.Staging.cfg.Judge = func(context.Context, trust.PublicKey, []policy.Asking) error {
		t.Error("asked about a set that asks for nothing")
		return nil
	}
	must(t, d.put(t, "1.2.0"))
}

// An index that leaves out what a manifest asks for gets its set refused: the policy was asked about something else.
func TestManifestAsksForWhatTheIndexSays(t *testing.T) {
	d, _ := newStages(t)
	d.Staging.cfg.Judge = func(context.Context, trust.PublicKey, []policy.Asking) error { return nil }
	key := updatestest.Key(1)
	for want, powers := range map[string][]string{
		`manifest of b asks for ["net.listen:tcp/80"], the index has no power`:             nil,
		`manifest of b asks for ["net.listen:tcp/80"], the index has ["net.listen:tcp/8"]`: {"net.listen:tcp/8"},
	} {
		b := updatestest.Bundle("b", "1.0.0", nil, []byte("payload"), key).Asking("net.listen:tcp/80")
		b.Entry.Powers = powers
		err := d.receive(t, updatestest.Archive(t, key, "1.1.0", b))
		if refusal.Of(err) != refusal.PowersMismatch || refusal.DetailOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Data is of another bundle of the same set. That it is missing shows in the index, and that it is not a data bundle in
// the manifests; in both cases nothing stays.
func TestNoSuchData(t *testing.T) {
	key := updatestest.Key(1)
	reader := updatestest.Bundle("b", "1.0.0", nil, []byte("payload"), key).Asking("data:site")
	data := updatestest.Bundle("site", "1.0.0", []string{nxb.AbilityData}, []byte("a tree"), key)
	program := updatestest.Bundle("site", "1.0.0", []string{nxb.AbilityMain}, []byte("a program"), key)
	for name, c := range map[string]struct {
		set  []updatestest.Made
		want refusal.Reason
	}{
		"there": {[]updatestest.Made{reader, data}, ""}, "missing": {[]updatestest.Made{reader}, refusal.NoSuchData},
		"a program": {[]updatestest.Made{reader, program}, refusal.NoSuchData},
	} {
		d, _ := newStages(t)
		asked := false
		d.cfg.Judge = func(context.Context, trust.PublicKey, []policy.Asking) error {
			asked = true
			return nil
		}
		raw := updatestest.Archive(t, key, "1.1.0", c.set...)
		before := d.Record()
		err := d.receive(t, raw)
		if refusal.Of(err) != c.want || asked != (name != "missing") {
			t.Errorf("%s: got %v, want %q; the policy was asked: %v", name, err, c.want, asked)
		}
		if c.want != "" && !reflect.DeepEqual(d.Record(), before) {
			t.Errorf("%s: the record was changed", name)
		}
	}
}
