package chaos_test

import (
	"context"
	"crypto/ed25519"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/updated"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A bench is where devices are tried, one at a time: the daemons beside updated, over real connections. They never die
// here; the other half of this package is about that.
type bench struct {
	library *library
	parts   updated.Parts
	device  *device // the one that is tried now
	close   func()
}

// published is what bundlemgrd was asked to publish.
type published struct {
	slot   bootctl.Slot
	digest nxs.Digest
	boot   uint64
}

func newBench(l *library) (*bench, error) {
	b := &bench{library: l}
	verifier, closeVerifier, err := provide(capnp.Client(keystore.Verifier_ServerToClient(keystored{})))
	if err != nil {
		return nil, err
	}
	publisher, closePublisher, err := provide(capnp.Client(bundle.SlotPublisher_ServerToClient((*bundlemgrd)(b))))
	if err != nil {
		closeVerifier()
		return nil, err
	}
	log := logclient.New("updated", vat.NewHolding("LogSink"))
	b.parts = updated.Parts{
		Clock: plat.RealClock{}, Log: log, Verifier: verifier, SlotPublisher: publisher, Limits: nxs.DefaultLimits(),
		Tries: tries,
	}
	b.close = func() { closeVerifier(); closePublisher() }
	return b, nil
}

// provide returns a holding of what the server serves, over a real connection.
func provide(server capnp.Client) (*vat.Holding, func(), error) {
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return nil, nil, err
	}
	defer ours.Close()
	defer theirs.Close()
	serving, errServe := vat.Socket(ours)
	using, errUse := vat.Socket(theirs)
	if err := errors.Join(errServe, errUse); err != nil {
		return nil, nil, err
	}
	served, used := vat.Connect(serving, server), vat.Connect(using, capnp.Client{})
	holding := vat.NewHolding("bench")
	holding.Renew(used)
	return holding, func() { served.Close(); used.Close() }, nil
}

// keystored trusts the first test key.
type keystored struct{}

func (keystored) Verify(_ context.Context, call keystore.Verifier_verify) error {
	message, errMessage := call.Args().Message_()
	signature, errSignature := call.Args().Signature()
	res, errResults := call.AllocResults()
	if err := errors.Join(errMessage, errSignature, errResults); err != nil {
		return err
	}
	key, err := verify(message, signature)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetPublisher(key[:])
}

func verify(message, signature []byte) (trust.PublicKey, error) {
	key := updatestest.Key(1).Public()
	if !ed25519.Verify(key[:], message, signature) {
		return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return key, nil
}

// bundlemgrd publishes what it is told, if the slot holds that set.
type bundlemgrd bench

func (b *bundlemgrd) SetActiveSlot(_ context.Context, call bundle.SlotPublisher_setActiveSlot) error {
	raw, errDigest := call.Args().IndexSha256()
	res, errResults := call.AllocResults()
	if err := errors.Join(errDigest, errResults); err != nil {
		return err
	}
	p := published{slot: convert.SlotOf(call.Args().Slot()), boot: call.Args().Boot()}
	copy(p.digest[:], raw)
	if err := b.device.publish(p); err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return nil
}

func (*bundlemgrd) Check(context.Context, bundle.SlotPublisher_check) error { return nil }
