package slots_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// damages are what a disk or an intruder may do to a file of the set in slot a, with the reason of Verify.
var damages = []struct {
	name   string
	file   string
	change func([]byte) []byte
	reason refusal.Reason
}{
	{"index changed", "system.nxsindex", flip, refusal.DigestMismatch},
	{"index cut", "system.nxsindex", cut, refusal.DigestMismatch},
	{"index huge", "system.nxsindex", huge, refusal.SizeMismatch},
	{"signature changed", "system.sig.ed25519", flip, refusal.InvalidSignature},
	{"signature cut", "system.sig.ed25519", cut, refusal.InvalidSignature},
	{"signature long", "system.sig.ed25519", grow, refusal.SizeMismatch},
	{"manifest changed", "alpha.app.nxb/manifest.nxb", flip, refusal.DigestMismatch},
	{"manifest huge", "alpha.app.nxb/manifest.nxb", huge, refusal.SizeMismatch},
	{"payload changed", "alpha.app.nxb/payload.elf", flip, refusal.DigestMismatch},
	{"payload cut", "alpha.app.nxb/payload.elf", cut, refusal.SizeMismatch},
	{"payload grown", "beta.nxb/payload.elf", grow, refusal.SizeMismatch},
}

func flip(b []byte) []byte { b[len(b)/2] ^= 1; return b }
func cut(b []byte) []byte  { return b[:len(b)-1] }
func grow(b []byte) []byte { return append(b, 0) }
func huge(b []byte) []byte { return make([]byte, 2<<20) }

// damage changes a file of the set in slot a.
func damage(t *testing.T, d *durabletest.Disk, file string, change func([]byte) []byte) {
	t.Helper()
	if err := d.Overwrite(path.Join("a", file), change([]byte(read(t, d, path.Join("a", file))))); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			damage(t, d, c.file, c.change)
			wantReason(t, s.Verify(bootctl.A, held(s, bootctl.A), verify), c.reason)
		})
	}
	t.Run("file gone", func(t *testing.T) {
		d := durabletest.New()
		s := open(t, d)
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		if err := d.Remove("a/beta.nxb/payload.elf"); err != nil {
			t.Fatal(err)
		}
		wantReason(t, s.Verify(bootctl.A, held(s, bootctl.A), verify), refusal.MissingEntry)
	})
	t.Run("publisher no longer trusted", func(t *testing.T) {
		s := open(t, durabletest.New())
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		wantReason(t, s.Verify(bootctl.A, held(s, bootctl.A), func(_, _ []byte) (trust.PublicKey, error) {
			return trust.PublicKey{}, refusal.New(refusal.UntrustedPublisher, "not trusted")
		}), refusal.UntrustedPublisher)
	})
	t.Run("signed by another trusted key", func(t *testing.T) {
		s := open(t, durabletest.New())
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		wantReason(t, s.Verify(bootctl.A, held(s, bootctl.A), func(_, _ []byte) (trust.PublicKey, error) {
			return updatestest.Key(2).Public(), nil
		}), refusal.PublisherMismatch)
	})
}

// Nothing of the stored index is interpreted before its signature has been verified.
func TestVerifyAsksForTheSignatureFirst(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	set := held(s, bootctl.A)
	from := len(d.Ops())
	refused := refusal.New(refusal.InvalidSignature, "no")
	var seen []string
	err := s.Verify(bootctl.A, set, func(_, _ []byte) (trust.PublicKey, error) {
		seen = d.Ops()[from:]
		return trust.PublicKey{}, refused
	})
	wantReason(t, err, refusal.InvalidSignature)
	if len(d.Ops()) != from+len(seen) {
		t.Errorf("after the refusal: %q", d.Ops()[from+len(seen):])
	}
	for _, op := range seen {
		if strings.Contains(op, ".nxb/") {
			t.Errorf("before the signature: %q", op)
		}
	}
}

// Staging a set that is damaged on disk repairs it, also for the other slot that holds it.
func TestStageMendsADamagedSet(t *testing.T) {
	for _, c := range damages {
		t.Run(c.name, func(t *testing.T) {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			damage(t, d, c.file, c.change)
			mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
			wantSlot(t, s, bootctl.A, "1.0.0")
			wantSlot(t, s, bootctl.B, "1.0.0")
		})
	}
}

// While a set is repaired, each of its files is the damaged or the right one. A cut leaves slot b empty or holding the
// complete set, and once slot b holds it, slot a is intact too.
func TestCutWhileMending(t *testing.T) {
	for _, c := range []struct {
		file  string
		empty func() *durabletest.Disk
	}{
		{"alpha.app.nxb/payload.elf", durabletest.New}, {"alpha.app.nxb/payload.elf", durabletest.NewWithVerity},
		{"system.nxsindex", durabletest.New},
	} {
		file := c.file
		t.Run(file, func(t *testing.T) {
			clean := diskHolding(t, c.empty(), "")
			damage(t, clean, file, flip)
			for _, outcome := range durabletest.Outcomes() {
				for done, n := false, 0; !done; n++ {
					d := clean.Clone()
					s := open(t, d)
					d.CutAfter(n)
					_, err := stage(s, bootctl.B, archive(t, "1.0.0"))
					done = err == nil
					wantMended(t, d.Reboot(outcome), done)
				}
			}
		})
	}
}

func wantMended(t *testing.T, d *durabletest.Disk, done bool) {
	t.Helper()
	s := open(t, d)
	if target, err := d.Readlink("b"); err == nil || done {
		if target != setOf(t, s, bootctl.A) {
			t.Fatalf("slot b leads to %q, %v", target, err)
		}
		wantSlot(t, s, bootctl.A, "1.0.0")
		wantSlot(t, s, bootctl.B, "1.0.0")
	}
	if names, err := d.ReadDir("sets/" + held(s, bootctl.A).String()); err != nil || len(names) != 4 {
		t.Fatalf("slot a has %q, %v", names, err)
	}
}

// If something else is in place of a slot's link, only that slot is damaged: the store opens, and staging into the slot
// repairs it.
func TestLinkToNoSet(t *testing.T) {
	for _, target := range []string{"elsewhere", "sets/x", "sets/.stage", "sets", "sets/" + strings.Repeat("A", 64),
		"sets/" + strings.Repeat("a", 64) + "/x"} {
		d := durabletest.New()
		s := open(t, d)
		mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
		if err := d.Symlink(target, "a"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Content(bootctl.A)
		wantReason(t, err, refusal.SlotMismatch)
		s = open(t, d)
		wantSlot(t, s, bootctl.B, "1.1.0")
		wantReason(t, s.Verify(bootctl.A, nxs.Digest{}, verify), refusal.SlotMismatch)
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		wantSlot(t, s, bootctl.A, "1.0.0")
		wantSlot(t, s, bootctl.B, "1.1.0")
	}
	d := durabletest.New()
	s := open(t, d)
	if err := d.Symlink("sets/"+strings.Repeat("a", 64), "a"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Content(bootctl.A)
	wantReason(t, err, refusal.MissingEntry)
}

// A slot holds the expected set, or it is damaged.
func TestVerifyWantsTheVerySet(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	first := mustStage(t, s, bootctl.A, archive(t, "1.0.0")).Digest
	second := mustStage(t, s, bootctl.B, archive(t, "1.1.0")).Digest
	wantReason(t, s.Verify(bootctl.A, second, verify), refusal.SlotMismatch)
	wantReason(t, s.Verify(bootctl.A, nxs.Digest{}, verify), refusal.SlotMismatch)
	if err := d.Remove("a"); err != nil {
		t.Fatal(err)
	}
	wantReason(t, s.Verify(bootctl.A, first, verify), refusal.MissingEntry)
	wantReason(t, s.Verify(bootctl.A, nxs.Digest{}, verify), "")
	wantReason(t, s.Verify(bootctl.B, second, verify), "")
}

// Only faults of the slot itself count as its damage.
func TestFaults(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	digest := mustStage(t, s, bootctl.A, archive(t, "1.0.0")).Digest
	untrusted := func(_, _ []byte) (trust.PublicKey, error) {
		return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	wantFault := func(err error, want slots.Fault) {
		t.Helper()
		if got, reason := slots.FaultOf(err); got != want {
			t.Errorf("%v (%s): got fault %d, want %d", err, reason, got, want)
		}
	}
	wantFault(s.Verify(bootctl.A, digest, untrusted), slots.Passing)
	wantFault(errors.New("the disk failed"), slots.Passing)
	wantFault(refusal.New(refusal.WrongArchitecture, "it is for another machine"), slots.OfTheSet)
	damage(t, d, "system.sig.ed25519", flip)
	wantFault(s.Verify(bootctl.A, digest, untrusted), slots.Medium)
}
