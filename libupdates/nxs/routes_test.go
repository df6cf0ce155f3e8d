package nxs_test

import (
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"nexus/libupdates/apps"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// A route is one of the ways by which a set gets onto a device.
type route struct {
	name string
	disk *durabletest.Disk
	// stage stages an archive, and returns the record as it is then.
	stage func(t *testing.T, raw []byte) (bootctl.Record, error)
}

// routes are that of the system and that of apps, each with a device of its own. The good archive is the package of
// its first bundle.
func routes(t *testing.T) []route {
	t.Helper()
	device := func() (*updater.Engine, *durabletest.Disk, updater.Config) {
		disk := durabletest.New()
		cfg := updater.Config{Slots: disk, Verify: signedByTest, Publisher: nobody{}, Log: nobody{}, Clock: nobody{},
			Limits: nxs.DefaultLimits(), Tries: 2}
		var err error
		cfg.Record, err = disk.CellFile("record")
		must(t, err)
		engine, err := updater.Open(cfg)
		must(t, err)
		return engine, disk, cfg
	}
	system, disk, _ := device()
	over, _, base := device()
	shelf := durabletest.New()
	all, err := apps.Open(apps.Config{
		FS: shelf, Engine: func(string) updater.Config { return base },
		System: func() updater.Status { return over.Status() },
		Retain: func(context.Context, []string) error { return nil }, Log: nobody{},
	})
	must(t, err)
	return []route{
		{"system", disk, func(t *testing.T, raw []byte) (bootctl.Record, error) { return stageBy(t, system, raw) }},
		{"app", shelf, func(t *testing.T, raw []byte) (bootctl.Record, error) {
			engine, release, err := all.Take("alpha.app")
			must(t, err)
			defer release()
			return stageBy(t, engine, raw)
		}},
	}
}

func stageBy(t *testing.T, e *updater.Engine, raw []byte) (bootctl.Record, error) {
	t.Helper()
	stage, err := e.Staging.Stage(t.Context(), updater.Request{Life: t.Context(), Size: uint64(len(raw)),
		Operator: true})
	if err != nil {
		return e.Status().Record, err
	}
	stage.Write(raw) // Finish says why it failed
	_, _, err = stage.Finish(t.Context())
	return e.Status().Record, err
}

// Whichever way a set comes, the same reader refuses it for the same reason, and nothing of it is kept.
func TestBothRoutesRefuseTheSame(t *testing.T) {
	cases := append(hostileArchives(t),
		archiveCase{"one bit of the index", changed(t, 0, 512+64, 'x'), refusal.InvalidSignature},
		archiveCase{"one bit of the signature", changed(t, 1, 512, 'x'), refusal.InvalidSignature},
		archiveCase{"one bit of a payload", changed(t, 3, 512, 'x'), refusal.DigestMismatch},
		archiveCase{"half of it", smallArchive(t)[:len(smallArchive(t))/2], refusal.Truncated},
		archiveCase{"as it should be", smallArchive(t), ""},
	)
	for _, route := range routes(t) {
		t.Run(route.name, func(t *testing.T) {
			for _, c := range cases {
				if c.want == "" {
					continue
				}
				record, err := route.stage(t, c.raw)
				if got := refusal.Of(err); got != c.want {
					t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
				}
				if !record.Staged.IsEmpty() || record.StageSerial != 0 || len(record.Quarantine) > 0 ||
					record.Slots != [2]bootctl.Content{} {
					t.Errorf("%s: the record is %+v, want it as it was", c.name, record)
				}
			}
			for _, name := range []string{"sets", "staged", "alpha.app/sets", "apps/alpha.app"} {
				if found, err := route.disk.ReadDir(name); err == nil && len(found) > 0 {
					t.Errorf("%s: %q is left", name, found)
				}
			}
			for _, c := range cases {
				if c.want != "" {
					continue
				}
				if _, err := route.stage(t, c.raw); err != nil {
					t.Errorf("%s: got %v, want it staged", c.name, err)
				}
			}
		})
	}
}

func signedByTest(_ context.Context, message, signature []byte) (trust.PublicKey, error) {
	key := updatestest.Key(1).Public()
	if !ed25519.Verify(key[:], message, signature) {
		return key, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return key, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nobody publishes nothing, reads no log, and needs the time only for what is recorded.
type nobody struct{}

func (nobody) Check(context.Context, bootctl.Slot, nxs.Digest) error { return nil }
func (nobody) Publish(context.Context, updater.Publication) error    { return nil }
func (nobody) Resume(updater.Publication)                            {}
func (nobody) Audit(updater.Audit)                                   {}
func (nobody) Warn(string, ...any)                                   {}
func (nobody) Error(string, ...any)                                  {}
func (nobody) Now() time.Time                                        { return time.Now() }
func (nobody) After(d time.Duration) <-chan time.Time                { return time.After(d) }
