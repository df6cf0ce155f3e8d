package updater_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// An update that works, and one that does not: the second set fails both its tries and is rolled back. What is printed
// is what the engine publishes, and what it writes to the audit log.
func ExampleEngine() {
	ctx := context.Background()
	engine, err := updater.Open(device())
	if err != nil {
		fmt.Println(err)
		return
	}
	update := func(version string) {
		archive := archiveOf(version)
		stage, _ := engine.Staging.Stage(ctx, updater.Request{Life: ctx, Size: uint64(len(archive)), Operator: true})
		stage.Write(archive) // verified while it is written
		if serial, _, err := stage.Finish(ctx); err == nil {
			engine.Staging.Switch(ctx, serial) // puts exactly this set on trial
		}
	}

	update("1.0.0")
	attempt, _, _ := engine.Trial.BootAttempt(ctx, 0) // counted, verified once more, published, in that order
	engine.Trial.Commit(attempt.Boot, false)          // the verdict: it is healthy

	update("1.1.0")
	for range 2 {
		attempt, _, _ = engine.Trial.BootAttempt(ctx, 0)
		engine.Trial.Fail(ctx, updater.Failure{Boot: attempt.Boot, Reason: refusal.ServiceExited, Detail: "notes ended"})
	}
	attempt, _, _ = engine.Trial.BootAttempt(ctx, 0) // the first set is back
	engine.Trial.Commit(attempt.Boot, false)
	update("1.1.0")

	// Output:
	// stage 1.0.0 in slot b: ok
	// switch 1.0.0 in slot b: ok
	// publish slot b for boot 2
	// health 1.0.0 in slot b: ok
	// stage 1.1.0 in slot a: ok
	// switch 1.1.0 in slot a: ok
	// publish slot a for boot 4
	// health 1.1.0 in slot a: failed service-exited
	// publish slot a for boot 6
	// health 1.1.0 in slot a: failed service-exited
	// rollback 1.1.0 in slot a: ok service-exited
	// publish slot b for boot 8
	// health 1.0.0 in slot b: ok
	// stage 1.1.0 in slot a: refused quarantined
}

// device is the world around an engine: a disk, a trusted key, and who publishes and logs.
func device() updater.Config {
	disk := durabletest.New()
	record, _ := disk.CellFile("record")
	return updater.Config{
		Slots: disk, Record: record, Verify: verify, Publisher: printed{}, Log: printed{}, Clock: clock{},
		Limits: nxs.DefaultLimits(), Tries: 2,
	}
}

func verify(_ context.Context, message, signature []byte) (trust.PublicKey, error) {
	key := updatestest.Key(1).Public()
	if !ed25519.Verify(key[:], message, signature) {
		return key, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return key, nil
}

func archiveOf(version string) []byte {
	key := updatestest.Key(1)
	return updatestest.Archive(&testing.T{}, key, version, updatestest.Bundle("notes", version, nil, []byte(version),
		key))
}

type printed struct{}

func (printed) Check(context.Context, bootctl.Slot, nxs.Digest) error { return nil }
func (printed) Resume(updater.Publication)                            {}
func (printed) Publish(_ context.Context, p updater.Publication) error {
	fmt.Printf("publish slot %s for boot %d\n", p.Slot, p.Boot)
	return nil
}

func (printed) Warn(string, ...any)  {}
func (printed) Error(string, ...any) {}
func (printed) Audit(a updater.Audit) {
	fmt.Println(strings.TrimSpace(fmt.Sprintf("%s %s in slot %s: %s %s", a.Op, a.Version, a.Slot, a.Result, a.Reason)))
}

type clock struct{}

func (clock) Now() time.Time                         { return time.Now() }
func (clock) After(d time.Duration) <-chan time.Time { return time.After(d) }
