package bundlemgrd

import (
	"context"
	"errors"
	"fmt"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A publisher serves SlotPublisher.
type publisher struct {
	files durable.ReadFS
	log   *logclient.Log
	shelf *shelf
	turn  chan struct{} // holds one token: the right to publish
}

func newPublisher(files durable.ReadFS, log *logclient.Log, shelf *shelf) *publisher {
	p := &publisher{files: files, log: log, shelf: shelf, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

// SetActiveSlot publishes a slot, or returns why it cannot.
func (p *publisher) SetActiveSlot(ctx context.Context, call bundle.SlotPublisher_setActiveSlot) error {
	call.Go()
	digest, err := digestOf(call.Args().IndexSha256())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	slot := convert.SlotOf(call.Args().Slot())
	if err := p.publish(ctx, slot, digest, call.Args().Boot()); err != nil {
		p.log.Warn("cannot publish", "slot", slot, "reason", refusal.Of(err), "error", err)
		return convert.Refuse(res.NewRefusal, err)
	}
	return nil
}

// publish publishes the contents of a slot and prints the marker, unless that publication is already current. The
// caller holds the turn. A publication for an earlier boot attempt than the current one is refused as Superseded, and
// that of a staged set as SlotMismatch: nothing runs before it was switched to.
func (p *publisher) publish(ctx context.Context, slot bootctl.Slot, digest nxs.Digest, boot uint64) error {
	if slot == bootctl.Staged {
		return refusal.New(refusal.SlotMismatch, "a staged set is in no slot")
	}
	now := p.shelf.now()
	if now.same(&publication{slot: slot, digest: digest, boot: boot}) {
		return nil
	}
	if boot < now.boot {
		return refusal.New(refusal.Superseded, "boot attempt %d is over, %d has begun", boot, now.boot)
	}
	next, err := open(p.files, slot, digest, boot)
	if err != nil {
		return err
	}
	p.shelf.put(next)
	p.log.Announce(ctx, fmt.Sprintf("bundlemgrd: slot %s active", slot))
	return nil
}

// Check returns whether a set could be published from a slot. It changes nothing.
func (p *publisher) Check(_ context.Context, call bundle.SlotPublisher_check) error {
	call.Go()
	digest, err := digestOf(call.Args().IndexSha256())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if _, err := open(p.files, convert.SlotOf(call.Args().Slot()), digest, 0); err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return nil
}

// digestOf reads a digest from a message: 32 bytes, or none for an empty slot. Its parameters are the results of the
// getter.
func digestOf(raw []byte, err error) (nxs.Digest, error) {
	switch {
	case err != nil:
		return nxs.Digest{}, err
	case len(raw) != 0 && len(raw) != len(nxs.Digest{}):
		return nxs.Digest{}, errors.New("cannot read digest: not 32 bytes")
	default:
		return convert.DigestOf(raw), nil
	}
}
