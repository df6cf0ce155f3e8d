package updated

import (
	"context"
	"crypto/ed25519"
	"sync/atomic"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// A device is the service over a disk in memory, between a keystored and a bundlemgrd that it calls over real
// connections.
type device struct {
	*service
	disk      *durabletest.Disk
	published atomic.Int32 // how often bundlemgrd was asked to publish
}

// recordFile is where the device keeps its boot record, beside the slots.
const recordFile = "record"

func newDevice(t *testing.T) *device {
	t.Helper()
	d := &device{disk: durabletest.New()}
	record, err := d.disk.CellFile(recordFile)
	must(t, err)
	verifier := provided(t, capnp.Client(keystore.Verifier_ServerToClient(keystored{})))
	bundlemgrd := provided(t, capnp.Client(bundle.SlotPublisher_ServerToClient((*bundlemgrd)(d))))
	d.service = &service{publisher: newPublisher(bundlemgrd), changed: vat.NewNotifier(), life: t.Context()}
	d.engine, err = updater.Open(updater.Config{
		Slots: d.disk, Record: record, Verify: verifyBy(verifier), Publisher: slotPublisher{d.publisher, ""},
		Log: journal{logclient.New("updated", vat.NewHolding("LogSink"))}, Clock: plat.RealClock{},
		Changed: d.changed.Notify, Limits: nxs.DefaultLimits(), Tries: bootctl.DefaultTries,
	})
	must(t, err)
	return d
}

// provided returns a holding of what the server serves, over a real connection.
func provided(t *testing.T, server capnp.Client) *vat.Holding {
	t.Helper()
	holding, _ := vattest.Provide(t, server)
	return holding
}

// keystored trusts the first test key.
type keystored struct{}

func (keystored) Verify(_ context.Context, call keystore.Verifier_verify) error {
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
	if !ed25519.Verify(key[:], message, signature) {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.InvalidSignature, "invalid signature"))
	}
	return res.SetPublisher(key[:])
}

// bundlemgrd counts what it is asked to publish.
type bundlemgrd device

func (b *bundlemgrd) SetActiveSlot(context.Context, bundle.SlotPublisher_setActiveSlot) error {
	b.published.Add(1)
	return nil
}

func (*bundlemgrd) Check(context.Context, bundle.SlotPublisher_check) error { return nil }

// tryOut puts a set on trial and begins its first attempt.
func (d *device) tryOut(t *testing.T, version string) (boot uint64) {
	t.Helper()
	key := updatestest.Key(1)
	raw := updatestest.Archive(t, key, version, updatestest.Bundle("notes", version, nil, []byte("bytes of "+version),
		key))
	stage, err := d.engine.Staging.Stage(t.Context(), updater.Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	must(t, stage.Write(raw))
	serial, _, err := stage.Finish(t.Context())
	must(t, err)
	must(t, d.engine.Staging.Switch(t.Context(), serial))
	published := d.published.Load()
	attempt, refused, err := d.engine.Trial.BootAttempt(t.Context(), 0)
	must(t, refused)
	must(t, err)
	if now := d.published.Load(); now != published+1 {
		t.Errorf("an attempt was published %d times", now-published)
	}
	return attempt.Boot
}

// must runs what a test takes for granted.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// App is asked for by nobody who has no apps.
func (*bundlemgrd) App(context.Context, bundle.SlotPublisher_app) error { return nil }

// RetainApps changes nothing where there are no apps.
func (*bundlemgrd) RetainApps(context.Context, bundle.SlotPublisher_retainApps) error { return nil }
