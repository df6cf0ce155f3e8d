package bundlemgrd_test

import (
	"path/filepath"
	"testing"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/bundle"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

func TestNothingIsPublishedAtFirst(t *testing.T) {
	v := start(t)
	v.stage(bootctl.A, "1.0.0", service("1.0.0"))
	if got, want := v.list(), (view{}); got != want {
		t.Errorf("published %+v, want nothing", got)
	}
}

func TestPublish(t *testing.T) {
	v := start(t)
	digest := v.stage(bootctl.B, "1.1.0", service("1.1.0"), data("1.1.0"))
	if reason := v.check(bootctl.B, digest); reason != "" {
		t.Fatalf("check refused: %s", reason)
	}
	if got := v.list(); got != (view{}) {
		t.Fatalf("check published %+v", got)
	}
	v.mustPublish(bootctl.B, digest, 7)
	if got, want := v.list(), (view{bootrecord.Slot_b, "1.1.0", 7, "data 1.1.0;hello.app 1.1.0;"}); got != want {
		t.Errorf("published %+v, want %+v", got, want)
	}
}

func TestPublishAnEmptySlot(t *testing.T) {
	v := start(t)
	digest := v.stage(bootctl.B, "1.1.0", service("1.1.0"))
	v.mustPublish(bootctl.B, digest, 1)
	v.mustPublish(bootctl.A, nxs.Digest{}, 2)
	if got, want := v.list(), (view{slot: bootrecord.Slot_a, boot: 2}); got != want {
		t.Errorf("published %+v, want %+v", got, want)
	}
}

// TestPublishTwice publishes the same again, as a publisher does after a restart: nothing happens and nothing is
// announced.
func TestPublishTwice(t *testing.T) {
	v := start(t)
	digest := v.stage(bootctl.A, "1.0.0", service("1.0.0"))
	v.mustPublish(bootctl.A, digest, 1)
	if reason := v.publish(bootctl.A, digest, 1); reason != "" {
		t.Fatalf("refused the second time: %s", reason)
	}
	if len(v.markers) != 0 {
		t.Errorf("marker %q for what was published already", <-v.markers)
	}
	v.mustPublish(bootctl.A, digest, 2) // another boot attempt makes it another publication
}

// TestPublishTooLate publishes for an attempt that is over, which must not replace the current one.
func TestPublishTooLate(t *testing.T) {
	v := start(t)
	old := v.stage(bootctl.A, "1.0.0", service("1.0.0"))
	current := v.stage(bootctl.B, "1.1.0", service("1.1.0"))
	v.mustPublish(bootctl.B, current, 2)
	if reason := v.publish(bootctl.A, old, 1); reason != "superseded" {
		t.Errorf("refused as %q, want superseded", reason)
	}
	if reason := v.publish(bootctl.B, current, 2); reason != "" || len(v.markers) != 0 {
		t.Errorf("the current attempt is no longer published: refused as %q, %d markers", reason,
			len(v.markers))
	}
}

func TestPublishRefused(t *testing.T) {
	this, other := machines()
	key := updatestest.Key(1)
	unknown := nxs.Digest{1}
	set := func(v *device, version string) string {
		return filepath.Join(v.dir, "sets", v.stage(bootctl.B, version, service(version)).String())
	}
	for _, c := range []struct {
		name    string
		prepare func(*device) (bootctl.Slot, nxs.Digest)
		want    string
	}{
		{"no slot", func(v *device) (bootctl.Slot, nxs.Digest) { return bootctl.None, unknown }, "slot-mismatch"},
		{"no slot and no set", func(v *device) (bootctl.Slot, nxs.Digest) { return bootctl.None, nxs.Digest{} },
			"slot-mismatch"},
		{"empty slot", func(v *device) (bootctl.Slot, nxs.Digest) { return bootctl.B, unknown }, "slot-mismatch"},
		{"slot that should be empty", func(v *device) (bootctl.Slot, nxs.Digest) { return bootctl.A, nxs.Digest{} },
			"slot-mismatch"},
		{"another set", func(v *device) (bootctl.Slot, nxs.Digest) {
			v.stage(bootctl.B, "1.1.0", service("1.1.0"))
			return bootctl.B, unknown
		}, "slot-mismatch"},
		{"set of the other slot", func(v *device) (bootctl.Slot, nxs.Digest) {
			return bootctl.A, v.stage(bootctl.B, "1.1.0", service("1.1.0"))
		}, "slot-mismatch"},
		{"damaged index", func(v *device) (bootctl.Slot, nxs.Digest) {
			dir := set(v, "1.1.0")
			damage(v.t, filepath.Join(dir, "system.nxsindex"))
			digest, _ := nxs.ParseDigest(filepath.Base(dir))
			return bootctl.B, digest
		}, "digest-mismatch"},
		{"damaged manifest", func(v *device) (bootctl.Slot, nxs.Digest) {
			dir := set(v, "1.1.0")
			damage(v.t, filepath.Join(dir, "hello.app.nxb", "manifest.nxb"))
			digest, _ := nxs.ParseDigest(filepath.Base(dir))
			return bootctl.B, digest
		}, "digest-mismatch"},
		{"service for another machine", func(v *device) (bootctl.Slot, nxs.Digest) {
			foreign := updatestest.Bundle("x", "1.1.0", []string{"nexus.ability.Main", nxb.AbilityService},
				program(other, ""), key)
			return bootctl.B, v.stage(bootctl.B, "1.1.0", service("1.1.0"), foreign)
		}, "wrong-architecture"},
		{"service that is no program", func(v *device) (bootctl.Slot, nxs.Digest) {
			script := updatestest.Bundle("x", "1.1.0", []string{nxb.AbilityService}, []byte("#!/bin/sh"), key)
			return bootctl.B, v.stage(bootctl.B, "1.1.0", script)
		}, "wrong-architecture"},
		{"service that is an object file", func(v *device) (bootctl.Slot, nxs.Digest) {
			object := program(this, "")
			object[16] = 1 // ET_REL
			return bootctl.B, v.stage(bootctl.B, "1.1.0", updatestest.Bundle("x", "1.1.0", []string{nxb.AbilityService},
				object, key))
		}, "wrong-architecture"},
		{"data that is not a tree", func(v *device) (bootctl.Slot, nxs.Digest) {
			return bootctl.B, v.stage(bootctl.B, "1.1.0", service("1.1.0"),
				updatestest.Bundle("x", "1.1.0", []string{nxb.AbilityData}, []byte("any bytes"), key))
		}, "bad-tree"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := start(t)
			v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", service("1.0.0")), 1)
			before := v.list()
			slot, digest := c.prepare(v)
			if reason := v.check(slot, digest); reason != c.want {
				t.Errorf("check: %q, want %q", reason, c.want)
			}
			if reason := v.publish(slot, digest, 2); reason != c.want {
				t.Errorf("publish: %q, want %q", reason, c.want)
			}
			if got := v.list(); got != before {
				t.Errorf("published %+v, want still %+v", got, before)
			}
			select {
			case line := <-v.markers:
				t.Errorf("marker %q after a refusal", line)
			default:
			}
		})
	}
}

// TestOnlyServicesMustRunHere publishes payloads that are not services: they may be anything, including programs for
// other machines.
func TestOnlyServicesMustRunHere(t *testing.T) {
	v := start(t)
	_, other := machines()
	key := updatestest.Key(1)
	digest := v.stage(bootctl.A, "1.0.0",
		updatestest.Bundle("main", "1.0.0", []string{nxb.AbilityMain}, program(other, ""), key),
		updatestest.Bundle("text", "1.0.0", []string{nxb.AbilityMain}, []byte("text"), key),
		updatestest.Bundle("unknown", "1.0.0", []string{"nexus.ability.Services"}, []byte("text"), key))
	v.mustPublish(bootctl.A, digest, 1)
}

func TestDigestOfTheWrongLengthIsRefused(t *testing.T) {
	v := start(t)
	for _, length := range []int{1, 31, 33} {
		answer, release := v.publisher.SetActiveSlot(t.Context(),
			func(p bundle.SlotPublisher_setActiveSlot_Params) error {
				p.SetSlot(bootrecord.Slot_a)
				return p.SetIndexSha256(make([]byte, length))
			})
		if _, err := answer.Struct(); err == nil {
			t.Errorf("a digest of %d bytes was accepted", length)
		}
		release()
	}
	if got := v.list(); got != (view{}) {
		t.Errorf("published %+v", got)
	}
}
