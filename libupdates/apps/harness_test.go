package apps_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// A device is a system and its apps over disks in memory.
type device struct {
	t      *testing.T
	system *updater.Engine
	apps   *apps.Apps
	config apps.Config
	disk   *durabletest.Disk // of the apps

	mu        sync.Mutex
	published map[string]bootctl.Slot // by package
	unheard   error                   // what becomes of the word that publications have ended
	audits    []updater.Audit
	warned    []string
}

// newDevice is a device whose system runs version 1.0.0 with the bundle shell.
func newDevice(t *testing.T) *device {
	t.Helper()
	d := &device{t: t, published: map[string]bootctl.Slot{}}
	disk := durabletest.New()
	record, err := disk.CellFile("record")
	must(t, err)
	cfg := d.engine("")
	cfg.Slots, cfg.Record, cfg.Others = disk, record, lateOthers{d}
	d.system, err = updater.Open(cfg)
	must(t, err)
	d.start(durabletest.New(), true)
	d.confirm(d.system, d.update(d.system, archive(t, "1.0.0", "shell")))
	return d
}

// start opens the apps on a disk.
func (d *device) start(disk *durabletest.Disk, newBoot bool) {
	d.t.Helper()
	must(d.t, d.tryStart(disk, newBoot))
}

func (d *device) tryStart(disk *durabletest.Disk, newBoot bool) (err error) {
	d.disk = disk
	d.config = apps.Config{
		FS: disk, Engine: d.engine, System: func() updater.Status { return d.system.Status() },
		Retain: d.retain, Downgrade: d.config.Downgrade, NewBoot: newBoot, Log: (*deviceLog)(d),
	}
	d.apps, err = apps.Open(d.config)
	return err
}

func (d *device) engine(name string) updater.Config {
	return updater.Config{
		Verify: verify, Publisher: publisher{d, name}, Log: (*deviceLog)(d), Clock: realClock{},
		Limits: nxs.DefaultLimits(), Tries: 2,
	}
}

func (d *device) retain(_ context.Context, names []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.published {
		if name != "" && !slices.Contains(names, name) {
			delete(d.published, name)
		}
	}
	return d.unheard
}

// stage stages an archive as the package of that name.
func (d *device) stage(name string, raw []byte, older bool) (e *updater.Engine, serial uint64, err error) {
	e, release, err := d.apps.Take(name)
	if err != nil {
		return nil, 0, err
	}
	defer release()
	serial, err = stageIn(d.t.Context(), e, raw, older)
	return e, serial, err
}

func stageIn(ctx context.Context, e *updater.Engine, raw []byte, older bool) (uint64, error) {
	stage, err := e.Staging.Stage(ctx, updater.Request{Life: ctx, Size: uint64(len(raw)), Operator: true,
		Terms: updater.Terms{Older: older}})
	if err != nil {
		return 0, err
	}
	stage.Write(raw) // Finish says why it failed
	serial, _, err := stage.Finish(ctx)
	return serial, err
}

// update stages an archive, switches to it and begins an attempt.
func (d *device) update(e *updater.Engine, raw []byte) (boot uint64) {
	d.t.Helper()
	serial, err := stageIn(d.t.Context(), e, raw, false)
	must(d.t, err)
	must(d.t, e.Staging.Switch(d.t.Context(), serial))
	return d.attempt(e)
}

func (d *device) attempt(e *updater.Engine) uint64 {
	d.t.Helper()
	a, refused, err := e.Trial.BootAttempt(d.t.Context(), 0)
	must(d.t, refused)
	must(d.t, err)
	return a.Boot
}

func (d *device) confirm(e *updater.Engine, boot uint64) {
	d.t.Helper()
	_, err := e.Trial.Commit(boot, false)
	must(d.t, err)
}

// install takes a package through a whole install or upgrade.
func (d *device) install(version string, bundles ...string) error {
	d.t.Helper()
	return d.installAs(false, version, bundles...)
}

func (d *device) installAs(older bool, version string, bundles ...string) error {
	d.t.Helper()
	e, serial, err := d.stage(bundles[0], archive(d.t, version, bundles...), older)
	if err != nil {
		return err
	}
	if err := e.Staging.Switch(d.t.Context(), serial); err != nil {
		return err
	}
	d.confirm(e, d.attempt(e))
	return nil
}

// mustInstall is install for what a test takes for granted.
func (d *device) mustInstall(version string, bundles ...string) {
	d.t.Helper()
	must(d.t, d.install(version, bundles...))
}

// mustUninstall uninstalls apps, and nobody runs them any more.
func (d *device) mustUninstall(names ...string) {
	d.t.Helper()
	must(d.t, d.apps.Uninstall(d.t.Context(), names, true))
	d.forget()
}

// forget says that nothing is left of what was uninstalled.
func (d *device) forget() {
	d.t.Helper()
	for name := range d.apps.Gone() {
		must(d.t, d.apps.Forget(name))
	}
}

// versions are the packages that run, as `name version`.
func (d *device) versions() string {
	var all []string
	for _, name := range d.apps.Names() {
		e, err := d.apps.Engine(name)
		must(d.t, err)
		version, bundles := apps.Running(e.Status())
		for _, b := range bundles {
			all = append(all, b.Name+" "+version)
		}
	}
	return strings.Join(all, ", ")
}

// fails checks why something was refused.
func fails(t *testing.T, err error, want refusal.Reason) {
	t.Helper()
	if got := refusal.Of(err); err == nil || got != want {
		t.Errorf("got %v (%s), want %s", err, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// archive is a set of that version, whose bundles have it, too.
func archive(t *testing.T, version string, bundles ...string) []byte {
	t.Helper()
	key := updatestest.Key(1)
	var made []updatestest.Made
	for _, name := range bundles {
		made = append(made, updatestest.Bundle(name, version, nil, []byte(name+" "+version), key))
	}
	return updatestest.Archive(t, key, version, made...)
}

func verify(_ context.Context, message, signature []byte) (trust.PublicKey, error) {
	key := updatestest.Key(1).Public()
	if !ed25519.Verify(key[:], message, signature) {
		return key, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return key, nil
}

type publisher struct {
	device *device
	name   string
}

func (publisher) Check(context.Context, bootctl.Slot, nxs.Digest) error { return nil }

func (p publisher) Publish(_ context.Context, want updater.Publication) error {
	p.Resume(want)
	return nil
}

func (p publisher) Resume(want updater.Publication) {
	p.device.mu.Lock()
	defer p.device.mu.Unlock()
	p.device.published[p.name] = want.Slot
}

type deviceLog device

func (l *deviceLog) Audit(a updater.Audit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.audits = append(l.audits, a)
}

func (d *deviceLog) Warn(text string, fields ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.warned = append(d.warned, fmt.Sprintln(append([]any{text}, fields...)...))
}

func (*deviceLog) Error(string, ...any) {}

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// lateOthers are the apps of a device whose system is opened first.
type lateOthers struct{ device *device }

func (o lateOthers) Busy() error { return nil }
func (o lateOthers) Admit(ctx context.Context, x nxs.Index, older bool) error {
	if o.device.apps == nil {
		return nil
	}
	return o.device.apps.Others().Admit(ctx, x, older)
}
