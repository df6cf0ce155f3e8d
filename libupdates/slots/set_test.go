package slots_test

import (
	"io"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

func read(t *testing.T, fs durable.ReadFS, name string) string {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, f)
}

func readAll(t *testing.T, f durable.ReadFile) string {
	t.Helper()
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOpenSet(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	old := mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	set, err := slots.OpenSet(d, bootctl.A, old.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if set.Index.SystemVersion != "1.0.0" || len(set.Bundles) != 2 || set.Bundles[0].Manifest.Name != "alpha.app" {
		t.Errorf("got %+v", set)
	}
	payloadOf := func(name string) string {
		f, err := set.OpenPayload(name)
		if err != nil {
			t.Fatal(err)
		}
		return readAll(t, f)
	}
	if got := payloadOf("alpha.app"); got != string(payload("1.0.0")) {
		t.Errorf("got payload %q", got)
	}
	manifest, err := set.OpenManifest("alpha.app")
	if err != nil {
		t.Fatal(err)
	}
	if got := nxs.Sum([]byte(readAll(t, manifest))); got != set.Bundles[0].Entry.ManifestSHA256 {
		t.Errorf("got manifest %s", got)
	}
	if err := set.CheckPayload("beta"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "gamma", "../alpha.app", "alpha"} {
		_, err := set.OpenPayload(name)
		wantReason(t, err, refusal.UnknownBundle)
		_, err = set.OpenManifest(name)
		wantReason(t, err, refusal.UnknownBundle)
		wantReason(t, set.CheckPayload(name), refusal.UnknownBundle)
	}

	// As long as the other slot has the set, a reader of this slot does not notice that the slot has changed.
	mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
	mustStage(t, s, bootctl.A, archive(t, "2.0.0"))
	if got := payloadOf("alpha.app"); got != string(payload("1.0.0")) {
		t.Errorf("after the slot moved on: got payload %q", got)
	}

	// Once the set is gone, so are its files; they are never those of another set.
	held, err := set.OpenPayload("alpha.app")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Empty(bootctl.B); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, held); got != string(payload("1.0.0")) {
		t.Errorf("an open file: got payload %q", got)
	}
	if f, err := set.OpenPayload("alpha.app"); err == nil {
		t.Errorf("opened %q of a set that is gone", readAll(t, f))
	}
}

func TestOpenSetRefusesAnotherSet(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	a := mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	for _, c := range []struct {
		slot   bootctl.Slot
		digest nxs.Digest
	}{
		{bootctl.A, nxs.Digest{}},
		{bootctl.A, nxs.Digest{1}},
		{bootctl.B, a.Digest},
		{bootctl.B, nxs.Digest{}},
		{bootctl.None, a.Digest},
		{7, a.Digest},
	} {
		_, err := slots.OpenSet(d, c.slot, c.digest)
		wantReason(t, err, refusal.SlotMismatch)
	}
}

func TestOpenSetFindsDamage(t *testing.T) {
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			d := durabletest.New()
			s := open(t, d)
			content := mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			damage(t, d, c.file, c.change)
			set, err := slots.OpenSet(d, bootctl.A, content.Digest)
			switch c.file {
			case "system.sig.ed25519": // the index is vouched for by the caller's digest
				if err != nil {
					t.Error(err)
				}
			case "system.nxsindex", "alpha.app.nxb/manifest.nxb":
				wantReason(t, err, c.reason)
			default:
				if err != nil {
					t.Fatal(err)
				}
				name := c.file[:len(c.file)-len(".nxb/payload.elf")]
				wantReason(t, set.CheckPayload(name), c.reason)
			}
		})
	}
}
