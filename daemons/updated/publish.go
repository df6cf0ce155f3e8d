package updated

import (
	"context"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
)

// A publication is what should be published: one set in one slot, for one boot attempt.
type publication struct {
	slot   bootctl.Slot
	digest nxs.Digest
	boot   uint64
}

// A publisher keeps bundlemgrd at what should be published, also after bundlemgrd restarted.
type publisher struct {
	holding *vat.Holding

	mu     sync.Mutex
	target *publication
}

// publish makes p what is published, once bundlemgrd has acknowledged it.
func (p *publisher) publish(ctx context.Context, want publication) error {
	p.aim(want)
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		return setActive(ctx, client, want)
	})
}

// aim sets what should be published, without waiting for it.
func (p *publisher) aim(want publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = &want
}

// check asks whether a set could be published, without doing it.
func (p *publisher) check(ctx context.Context, slot bootctl.Slot, digest nxs.Digest) error {
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		answer, release := client.Check(ctx, func(args bundle.SlotPublisher_check_Params) error {
			args.SetSlot(convert.Slot(slot))
			return args.SetIndexSha256(convert.Digest(digest))
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return err
		}
		return convert.Refused(res.Refusal())
	})
}

// call asks bundlemgrd, once more if it restarts under the question.
func (p *publisher) call(ctx context.Context, ask func(context.Context, bundle.SlotPublisher) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return p.holding.Call(ctx, func(client capnp.Client) error { return ask(ctx, bundle.SlotPublisher(client)) })
}

// keep publishes the target again for every new life of bundlemgrd.
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

func setActive(ctx context.Context, client bundle.SlotPublisher, want publication) error {
	answer, release := client.SetActiveSlot(ctx, func(args bundle.SlotPublisher_setActiveSlot_Params) error {
		args.SetSlot(convert.Slot(want.slot))
		args.SetBoot(want.boot)
		return args.SetIndexSha256(convert.Digest(want.digest))
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return convert.Refused(res.Refusal())
}
