package chaos_test

import (
	"context"
	"crypto/ed25519"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// A bench tests devices, one at a time. It implements the engine's ports, which never fail here; world_chaos_test.go is
// about daemons that die.
type bench struct {
	library *library
	config  updater.Config
	device  *device // the current device
}

func newBench(l *library) *bench {
	b := &bench{library: l}
	b.config = updater.Config{
		Verify: func(_ context.Context, message, signature []byte) (trust.PublicKey, error) {
			return verify(message, signature)
		},
		Publisher: (*publisher)(b), Log: silence{}, Clock: still{}, Limits: nxs.DefaultLimits(), Tries: tries,
	}
	return b
}

// verify trusts the first test key.
func verify(message, signature []byte) (trust.PublicKey, error) {
	key := updatestest.Key(1).Public()
	if !ed25519.Verify(key[:], message, signature) {
		return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return key, nil
}

// A publisher publishes what it is asked to, if the slot holds that set.
type publisher bench

func (*publisher) Check(context.Context, bootctl.Slot, nxs.Digest) error { return nil }

func (p *publisher) Publish(_ context.Context, want updater.Publication) error {
	return p.device.publish(want)
}

func (*publisher) Resume(updater.Publication) {}

type silence struct{}

func (silence) Audit(updater.Audit)  {}
func (silence) Warn(string, ...any)  {}
func (silence) Error(string, ...any) {}

// still is a clock that stands still, so that no sender is too slow.
type still struct{}

func (still) Now() time.Time                       { return time.Time{} }
func (still) After(time.Duration) <-chan time.Time { return nil }
