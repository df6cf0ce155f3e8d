package updated

import (
	"context"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updater"
)

// A publisher keeps bundlemgrd at what should be published, also after bundlemgrd restarted. It is the engine's
// Publisher.
type publisher struct {
	holding *vat.Holding

	mu     sync.Mutex
	target *updater.Publication
}

// Publish returns once bundlemgrd has acknowledged what it is to publish.
func (p *publisher) Publish(ctx context.Context, want updater.Publication) error {
	p.Resume(want)
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		return setActive(ctx, client, want)
	})
}

// Resume sets what should be published, without waiting for it.
func (p *publisher) Resume(want updater.Publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = &want
}

// Check asks whether a set could be published, without doing it.
func (p *publisher) Check(ctx context.Context, slot bootctl.Slot, digest nxs.Digest) error {
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		answer, release := client.Check(ctx, func(args bundle.SlotPublisher_check_Params) error {
			args.SetSlot(convert.Slot(slot))
			return args.SetIndexSha256(convert.Digest(digest))
		})
		defer release()
		_, err := convert.Outcome(answer.Struct())
		return err
	})
}

// call asks bundlemgrd, once more if it restarts under the question.
func (p *publisher) call(ctx context.Context, ask func(context.Context, bundle.SlotPublisher) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return p.holding.Call(ctx, func(client capnp.Client) error { return ask(ctx, bundle.SlotPublisher(client)) })
}

// keep publishes the target again whenever bundlemgrd has restarted.
func (p *publisher) keep(ctx context.Context, report func(error)) {
	p.holding.Each(ctx, func(ctx context.Context, client capnp.Client) {
		p.mu.Lock()
		want := p.target
		p.mu.Unlock()
		if want == nil {
			return
		}
		ctx, cancel := bounded(ctx)
		defer cancel()
		if err := setActive(ctx, bundle.SlotPublisher(client), *want); err != nil && !vat.Disconnected(err) {
			report(err)
		}
	})
}

// rpcPatience bounds a call to another daemon, its restart included.
const rpcPatience = 10 * time.Second

// bounded is a context for one call to another daemon.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, rpcPatience)
}

func setActive(ctx context.Context, client bundle.SlotPublisher, want updater.Publication) error {
	answer, release := client.SetActiveSlot(ctx, func(args bundle.SlotPublisher_setActiveSlot_Params) error {
		args.SetSlot(convert.Slot(want.Slot))
		args.SetBoot(want.Boot)
		return args.SetIndexSha256(convert.Digest(want.Digest))
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}
