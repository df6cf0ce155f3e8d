package updated

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"reflect"
	"sync/atomic"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A device is an engine over a disk in memory, with a record whose medium may fail, a keystored that may refuse and a
// bundlemgrd that counts what it is asked to publish.
type device struct {
	*engine
	disk      *durabletest.Disk
	medium    *medium
	distrust  atomic.Bool  // keystored knows no key
	published atomic.Int32 // how often something was published
}

func newDevice(t *testing.T) *device {
	t.Helper()
	d := &device{disk: durabletest.New(), medium: &medium{}}
	d.engine = &engine{
		clock: plat.RealClock{}, log: logclient.New("updated", vat.NewHolding("LogSink")),
		verifier: provided(t, capnp.Client(keystore.Verifier_ServerToClient((*fakeKeystored)(d)))),
		publisher: &publisher{holding: provided(t,
			capnp.Client(bundle.SlotPublisher_ServerToClient((*fakeBundlemgrd)(d))))},
		limits: nxs.DefaultLimits(), tries: bootctl.DefaultTries,
	}
	if err := d.open(d.disk, d.medium, nil); err != nil {
		t.Fatal(err)
	}
	return d
}

// provided returns a holding of what the server serves, over a real connection.
func provided(t *testing.T, server capnp.Client) *vat.Holding {
	t.Helper()
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	serving, err := vat.Socket(ours)
	if err != nil {
		t.Fatal(err)
	}
	using, err := vat.Socket(theirs)
	if err != nil {
		t.Fatal(err)
	}
	served, used := vat.Connect(serving, server), vat.Connect(using, capnp.Client{})
	t.Cleanup(served.Close)
	t.Cleanup(used.Close)
	holding := vat.NewHolding("test")
	holding.Renew(used)
	return holding
}

type fakeKeystored device

func (k *fakeKeystored) Verify(_ context.Context, call keystore.Verifier_verify) error {
	message, err := call.Args().Message_()
	if err != nil {
		return err
	}
	signature, err := call.Args().Signature()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	key := updatestest.Key(1).Public()
	if k.distrust.Load() || !ed25519.Verify(key[:], message, signature) {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.InvalidSignature, "invalid signature"))
	}
	return res.SetPublisher(key[:])
}

type fakeBundlemgrd device

func (b *fakeBundlemgrd) SetActiveSlot(context.Context, bundle.SlotPublisher_setActiveSlot) error {
	b.published.Add(1)
	return nil
}

func (*fakeBundlemgrd) Check(context.Context, bundle.SlotPublisher_check) error { return nil }

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

// put stages a set as a sender does.
func (d *device) put(t *testing.T, version string) error {
	t.Helper()
	key := updatestest.Key(1)
	raw := updatestest.Archive(t, key, version, updatestest.Bundle("notes", version, nil, []byte("bytes of "+version),
		key))
	if err := d.begin(int64(len(raw))); err != nil {
		return err
	}
	defer d.end()
	_, _, err := d.install(t.Context(), d.snapshot().Standby(), d.fromStream(newPipe(raw), int64(len(raw))),
		newProgress(update.StageProgress{}, int64(len(raw))))
	return err
}

func newPipe(raw []byte) io.Reader {
	out, in := io.Pipe()
	go func() {
		in.Write(raw)
		in.Close()
	}()
	return out
}

// must runs what a test takes for granted.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAStepThatIsNotDurableHasNotHappened fails the record's medium under each operation.
func TestAStepThatIsNotDurableHasNotHappened(t *testing.T) {
	for name, do := range map[string]func(*device) error{
		"attempt": func(d *device) error {
			_, _, err := d.bootAttempt(t.Context(), 0)
			return err
		},
		"switch":    func(d *device) error { return d.switchTo(t.Context(), d.snapshot().StageSerial) },
		"discard":   func(d *device) error { return d.discard(d.snapshot().StageSerial) },
		"good word": func(d *device) error { return d.commit(d.snapshot().Boot) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			_, _, err := d.bootAttempt(t.Context(), 0)
			must(t, err)
			must(t, d.put(t, "1.0.0"))
			before, onDisk := d.snapshot(), d.content(bootctl.B)
			d.medium.fail = true
			if err := do(d); !errors.Is(err, errMedium) {
				t.Errorf("got error %v, want the medium's", err)
			}
			if after := d.snapshot(); !reflect.DeepEqual(after, before) {
				t.Errorf("the record went from %+v to %+v", before, after)
			}
			if got := d.content(bootctl.B); got.Digest != onDisk.Digest {
				t.Errorf("slot b holds %s, want %s", got.Digest, onDisk.Digest)
			}
		})
	}
}

// TestConfirmedSlotOutlivesTheRecord looks for the one thing that a start without a record goes by.
func TestConfirmedSlotOutlivesTheRecord(t *testing.T) {
	d := newDevice(t)
	must(t, d.put(t, "1.0.0"))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	attempt, refused, err := d.bootAttempt(t.Context(), 0)
	must(t, errors.Join(refused, err))
	wantActive(t, d, bootctl.None)
	must(t, d.commit(attempt.Boot))
	wantActive(t, d, bootctl.B)
}

func wantActive(t *testing.T, d *device, want bootctl.Slot) {
	t.Helper()
	if got, err := d.store.Active(); err != nil || got != want {
		t.Errorf("the slots say that %s is active (%v), want %s", got, err, want)
	}
}

// TestWhatNoLongerVerifiesIsNotPublished takes the trust away between the stage and the attempt. The attempt is counted
// all the same.
func TestWhatNoLongerVerifiesIsNotPublished(t *testing.T) {
	d := newDevice(t)
	must(t, d.put(t, "1.0.0"))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	d.distrust.Store(true)
	attempt, refused, err := d.bootAttempt(t.Context(), 0)
	must(t, err)
	if refusal.Of(refused) != refusal.InvalidSignature || d.published.Load() > 0 {
		t.Errorf("got refusal %v and %d publications, want %s and none", refused, d.published.Load(),
			refusal.InvalidSignature)
	}
	if attempt.TriesLeft != bootctl.DefaultTries-1 {
		t.Errorf("%d tries are left, want %d", attempt.TriesLeft, bootctl.DefaultTries-1)
	}
	d.distrust.Store(false)
	if _, refused, err = d.bootAttempt(t.Context(), 0); refused != nil || err != nil || d.published.Load() != 1 {
		t.Errorf("trusted again: got refusal %v, error %v, %d publications", refused, err, d.published.Load())
	}
}

// TestQuarantinedSetWritesNothing stages again what was rolled back, over another set that is staged.
func TestQuarantinedSetWritesNothing(t *testing.T) {
	d := newDevice(t)
	must(t, d.put(t, "1.0.0"))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	must(t, d.rollback(t.Context()))
	must(t, d.put(t, "1.1.0"))
	before, onDisk := d.snapshot(), d.content(bootctl.B)
	if err := d.put(t, "1.0.0"); refusal.Of(err) != refusal.Quarantined {
		t.Errorf("got %v, want %s", err, refusal.Quarantined)
	}
	must(t, d.readSlots())
	if got := d.content(bootctl.B); got.Digest != onDisk.Digest || !reflect.DeepEqual(d.snapshot(), before) {
		t.Errorf("slot b holds %s and the record is %+v, want all as before", got.Version, d.snapshot())
	}
}

// TestBeginRefuses refuses a stage before its first byte is taken.
func TestBeginRefuses(t *testing.T) {
	d := newDevice(t)
	wantBegin := func(what string, size int64, want refusal.Reason) {
		t.Helper()
		if err := d.begin(size); refusal.Of(err) != want {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
	wantBegin("a byte over the limit", d.limits.Archive+1, refusal.ArchiveTooLarge)
	must(t, d.begin(d.limits.Archive))
	wantBegin("another is under way", 1, refusal.StageInProgress)
	d.end()
	must(t, d.put(t, "1.0.0"))
	must(t, d.switchTo(t.Context(), d.snapshot().StageSerial))
	wantBegin("during a trial", 1, refusal.TrialInProgress)
}
