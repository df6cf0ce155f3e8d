package updater

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A device is an engine over a disk in memory, with a record whose medium may fail, a key that may be distrusted, and a
// publisher that counts what it is asked to publish.
type device struct {
	*Engine
	*Staging
	*Trial
	*Recovery
	ledger    *ledger
	config    Config // of the engine, and of the next one
	disk      *durabletest.Disk
	medium    *medium
	distrust  atomic.Bool  // no key is trusted
	published atomic.Int32 // how often something was published
	target    *Publication // what is to be published now
}

// newDevice is a device whose record does not outlive the boot.
func newDevice(t *testing.T) *device {
	t.Helper()
	d := newDeviceOn()
	d.disk = durabletest.New()
	d.config.Slots, d.config.Record = d.disk, d.medium
	must(t, d.open())
	return d
}

// newDeviceOn is a device that has not booted yet.
func newDeviceOn() *device {
	d := &device{medium: &medium{}}
	d.config = Config{
		Verify: d.verifyMessage, Publisher: (*publisher)(d), Log: silence{}, Clock: realClock{},
		Limits: nxs.DefaultLimits(), Tries: bootctl.DefaultTries,
	}
	return d
}

// open opens an engine by the device's config.
func (d *device) open() (err error) {
	if d.Engine, err = Open(d.config); err != nil {
		return err
	}
	d.Staging, d.Trial, d.Recovery = d.Engine.Staging, d.Engine.Trial, d.Engine.Recovery
	d.ledger = d.Engine.ledger
	return nil
}

// verifyMessage trusts the first test key.
func (d *device) verifyMessage(_ context.Context, message, signature []byte) (trust.PublicKey, error) {
	key := updatestest.Key(1).Public()
	if d.distrust.Load() || !ed25519.Verify(key[:], message, signature) {
		return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return key, nil
}

// The publisher of a device publishes all it is asked to.
type publisher device

func (*publisher) Check(context.Context, bootctl.Slot, nxs.Digest) error { return nil }

func (p *publisher) Publish(_ context.Context, want Publication) error {
	p.Resume(want)
	p.published.Add(1)
	return nil
}

func (p *publisher) Resume(want Publication) { p.target = &want }

type silence struct{}

func (silence) Audit(Audit)          {}
func (silence) Warn(string, ...any)  {}
func (silence) Error(string, ...any) {}

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// A medium is the file of the record, in memory.
type medium struct {
	raw      []byte
	fail     bool
	failSync bool
}

var errMedium = errors.New("the medium failed")

func (m *medium) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.raw)) {
		return 0, io.EOF
	}
	n := copy(p, m.raw[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *medium) WriteAt(p []byte, off int64) (int, error) {
	if m.fail {
		return 0, errMedium
	}
	if end := int(off) + len(p); end > len(m.raw) {
		m.raw = append(m.raw, make([]byte, end-len(m.raw))...)
	}
	return copy(m.raw[off:], p), nil
}

func (m *medium) Sync() error {
	if m.failSync {
		return errMedium
	}
	return nil
}

// below is the part of a file system that is below a folder, so that slots and state may be on one disk and lose its
// power together.
type below struct {
	durable.FS
	dir string
}

func (b below) at(name string) string { return path.Join(b.dir, name) }

func (b below) Kind(name string) (fs.FileMode, error)      { return b.FS.Kind(b.at(name)) }
func (b below) Open(name string) (durable.ReadFile, error) { return b.FS.Open(b.at(name)) }
func (b below) Readlink(name string) (string, error)       { return b.FS.Readlink(b.at(name)) }
func (b below) ReadDir(name string) ([]string, error)      { return b.FS.ReadDir(b.at(name)) }
func (b below) Mkdir(name string) error                    { return b.FS.Mkdir(b.at(name)) }
func (b below) Rename(from, to string) error               { return b.FS.Rename(b.at(from), b.at(to)) }
func (b below) Symlink(target, name string) error          { return b.FS.Symlink(target, b.at(name)) }
func (b below) Link(from, to string) error                 { return b.FS.Link(b.at(from), b.at(to)) }
func (b below) Remove(name string) error                   { return b.FS.Remove(b.at(name)) }
func (b below) RemoveAll(name string) error                { return b.FS.RemoveAll(b.at(name)) }
func (b below) EnableVerity(name string) error             { return b.FS.EnableVerity(b.at(name)) }
func (b below) SyncDir(name string) error                  { return b.FS.SyncDir(b.at(name)) }
func (b below) Create(name string, p fs.FileMode) (durable.File, error) {
	return b.FS.Create(b.at(name), p)
}

// newDisk returns a disk with fs-verity, and with a folder for the slots and one for the state.
func newDisk(t *testing.T) *durabletest.Disk {
	t.Helper()
	disk := durabletest.NewWithVerity()
	must(t, disk.Mkdir("system"))
	must(t, disk.Mkdir("state"))
	return disk.Clone()
}

// boot loads what a disk holds, in the boot that the memory belongs to: empty memory is a new boot.
func (d *device) boot(disk *durabletest.Disk, memory *medium) error {
	state, err := statefs.Open(below{disk, "state"})
	if err != nil {
		return err
	}
	d.config.Slots, d.config.BootCopy = below{disk, "system"}, memory
	d.config.Record = durable.Apart(&statefs.Record{Keys: state.Prefix(statefs.Boot)})
	if err := d.open(); err != nil {
		return err
	}
	d.Resume()
	return nil
}

// mustBoot is a device that has booted.
func mustBoot(t *testing.T, disk *durabletest.Disk, memory *medium) *device {
	t.Helper()
	d := newDeviceOn()
	d.medium = memory
	must(t, d.boot(disk, memory))
	return d
}

// put stages a set as a sender does.
func (d *device) put(t *testing.T, version string) error {
	t.Helper()
	key := updatestest.Key(1)
	raw := updatestest.Archive(t, key, version, updatestest.Bundle("notes", version, nil, []byte("bytes of "+version),
		key).Blocks())
	if err := d.begin(); err != nil {
		return err
	}
	defer d.ledger.place.end()
	return d.receive(t, raw)
}

// receive takes an archive in as a stage does.
func (d *device) receive(t *testing.T, raw []byte) error {
	t.Helper()
	archive := d.Engine.intake.fromStream(bytes.NewReader(raw), int64(len(raw)))
	_, _, err := d.Engine.intake.install(t.Context(), archive, Terms{}, unheard{})
	return err
}

// attempt begins an attempt that must be possible.
func (d *device) attempt(t *testing.T) Attempt {
	t.Helper()
	a, refused, err := d.BootAttempt(t.Context(), 0)
	must(t, refused)
	must(t, err)
	return a
}

// commit commits an attempt for good.
func (d *device) commit(boot uint64) error {
	_, err := d.Commit(boot, false)
	return err
}

// tryOut puts a set on trial and begins its first attempt.
func (d *device) tryOut(t *testing.T, version string) Attempt {
	t.Helper()
	must(t, d.put(t, version))
	must(t, d.Switch(t.Context(), d.Record().StageSerial))
	return d.attempt(t)
}

// confirm takes a device through a whole update.
func (d *device) confirm(t *testing.T, version string) {
	t.Helper()
	must(t, d.commit(d.tryOut(t, version).Boot))
}

// must runs what a test takes for granted.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
