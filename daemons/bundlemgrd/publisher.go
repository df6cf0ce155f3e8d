package bundlemgrd

import (
	"context"
	"errors"
	"fmt"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/apps"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A publisher serves SlotPublisher, of the system or of a package of apps.
type publisher struct {
	app   string // the package; empty: the system
	files durable.ReadFS
	log   *logclient.Log
	shelf *shelf
	turn  chan struct{} // holds one token: the right to publish, of all publishers
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
	if err := p.await(ctx); err != nil {
		return err
	}
	defer p.end()
	slot := convert.SlotOf(call.Args().Slot())
	if err = p.publish(ctx, slot, digest, call.Args().Boot()); err != nil {
		p.log.Warn("cannot publish", "slot", slot, "reason", refusal.Of(err), "error", err)
	}
	return convert.Answer(call.AllocResults, err)
}

// await waits for the turn.
func (p *publisher) await(ctx context.Context) error {
	select {
	case <-p.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *publisher) end() { p.turn <- struct{}{} }

// publish publishes the contents of a slot and prints the marker, unless that publication is already current. The
// caller holds the turn. A publication for an earlier boot attempt than the current one is refused as Superseded, and
// that of a staged set as SlotMismatch: nothing runs before it was switched to.
func (p *publisher) publish(ctx context.Context, slot bootctl.Slot, digest nxs.Digest, boot uint64) error {
	if slot == bootctl.Staged {
		return refusal.New(refusal.SlotMismatch, "a staged set is in no slot")
	}
	now := p.now()
	if now.same(&publication{slot: slot, digest: digest, boot: boot}) {
		return nil
	}
	if boot < now.boot {
		return refusal.New(refusal.Superseded, "boot attempt %d is over, %d has begun", boot, now.boot)
	}
	next, err := p.open(slot, digest, boot)
	if err != nil {
		return err
	}
	if p.app == "" {
		p.shelf.put(p.shelf.now().beside(next))
		p.log.Announce(ctx, fmt.Sprintf("bundlemgrd: slot %s active", slot))
		return nil
	}
	return p.publishApp(ctx, next)
}

// Bounds of what is published of one set, in bytes (schema/bundle.capnp). That of the system and of all packages
// together fits into one message, of at most 4 MiB.
const (
	maxSystem = 2 << 20
	maxApp    = 28 << 10
)

// open makes the publication of a set. Refused as ManifestTooLarge if it takes too much of a message.
func (p *publisher) open(slot bootctl.Slot, digest nxs.Digest, boot uint64) (*publication, error) {
	next, err := open(p.files, slot, digest, boot)
	if err != nil {
		return nil, err
	}
	next.app = p.app
	limit := uint64(maxSystem)
	if p.app != "" {
		limit = maxApp
	}
	size, err := next.size()
	if err == nil && size > limit {
		err = refusal.New(refusal.ManifestTooLarge,
			"what the manifests of the set say takes %d bytes, and all of them may take %d", size, limit)
	}
	return next, err
}

// now returns what it has published.
func (p *publisher) now() *publication {
	if p.app == "" {
		return p.shelf.now()
	}
	return p.shelf.now().ofApp(p.app)
}

// publishApp publishes a package, unless another set has one of its names.
func (p *publisher) publishApp(ctx context.Context, next *publication) error {
	now := p.shelf.now()
	for _, other := range append([]*publication{now}, now.apps...) {
		if name := other.meets(next); name != "" && other.app != p.app {
			return refusal.New(refusal.NameTaken, "another published set has a bundle %s", name)
		}
	}
	p.shelf.put(now.with(next))
	if !next.digest.IsZero() {
		p.log.Announce(ctx, fmt.Sprintf("bundlemgrd: app %s slot %s active", p.app, next.slot))
	}
	return nil
}

// App returns the publisher of a package.
func (p *publisher) App(_ context.Context, call bundle.SlotPublisher_app) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if err := nxb.CheckName(name); err != nil || p.app != "" {
		return errors.Join(errors.New("cannot publish app: it has no such name"), err)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	app := &publisher{
		app: name, files: durable.Below(p.files, apps.Dir+"/"+name), log: p.log, shelf: p.shelf, turn: p.turn,
	}
	return res.SetPublisher(bundle.SlotPublisher_ServerToClient(app))
}

// RetainApps ends the publications of all other packages.
func (p *publisher) RetainApps(ctx context.Context, call bundle.SlotPublisher_retainApps) error {
	call.Go()
	list, err := call.Args().Names()
	if err != nil {
		return err
	}
	names, err := vat.Texts(list)
	if err != nil {
		return err
	}
	if err := p.await(ctx); err != nil {
		return err
	}
	defer p.end()
	p.shelf.put(p.shelf.now().retaining(names))
	return nil
}

// Check returns whether a set could be published from a slot. It changes nothing.
func (p *publisher) Check(_ context.Context, call bundle.SlotPublisher_check) error {
	call.Go()
	digest, err := digestOf(call.Args().IndexSha256())
	if err != nil {
		return err
	}
	_, err = p.open(convert.SlotOf(call.Args().Slot()), digest, 0)
	return convert.Answer(call.AllocResults, err)
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
