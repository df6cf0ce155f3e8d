package updated

import (
	"context"
	"maps"
	"slices"
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

// A publisher keeps bundlemgrd at what should be published, of the system and of each package of apps, also after
// bundlemgrd restarted.
type publisher struct {
	holding *vat.Holding
	calls   sync.Mutex // held while something is published: what is retained must not be older than that

	mu      sync.Mutex
	targets map[string]updater.Publication // by package; "": the system
	known   bool                           // targets has all packages
	resumed chan struct{}                  // holds a token if keep is to publish the targets again
}

func newPublisher(holding *vat.Holding) *publisher {
	return &publisher{holding: holding, targets: map[string]updater.Publication{}, resumed: make(chan struct{}, 1)}
}

// A slotPublisher is the engine's Publisher: of the system or, with a name, of a package of apps.
type slotPublisher struct {
	*publisher
	app string
}

// Publish returns once bundlemgrd has acknowledged what it is to publish.
func (p slotPublisher) Publish(ctx context.Context, want updater.Publication) error {
	p.calls.Lock()
	defer p.calls.Unlock()
	p.mu.Lock()
	p.targets[p.app] = want
	p.mu.Unlock()
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		return p.setActive(ctx, client, want)
	})
}

// Resume sets what keep is to publish.
func (p slotPublisher) Resume(want updater.Publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets[p.app] = want
	select {
	case p.resumed <- struct{}{}:
	default:
	}
}

// Check asks whether a set could be published, without doing it.
func (p slotPublisher) Check(ctx context.Context, slot bootctl.Slot, digest nxs.Digest) error {
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		own, release := p.of(ctx, client)
		defer release()
		answer, done := own.Check(ctx, func(args bundle.SlotPublisher_check_Params) error {
			args.SetSlot(convert.Slot(slot))
			return args.SetIndexSha256(convert.Digest(digest))
		})
		defer done()
		_, err := convert.Outcome(answer.Struct())
		return err
	})
}

// of returns the publisher for these slots.
func (p slotPublisher) of(ctx context.Context, client bundle.SlotPublisher) (bundle.SlotPublisher, func()) {
	if p.app == "" {
		return client, func() {}
	}
	answer, release := client.App(ctx, func(args bundle.SlotPublisher_app_Params) error { return args.SetName(p.app) })
	return answer.Publisher(), release
}

// call asks bundlemgrd, once more if it restarts under the question.
func (p *publisher) call(ctx context.Context, ask func(context.Context, bundle.SlotPublisher) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return p.holding.Call(ctx, func(client capnp.Client) error { return ask(ctx, bundle.SlotPublisher(client)) })
}

// keep publishes all targets again whenever bundlemgrd has restarted, or one was resumed.
func (p *publisher) keep(ctx context.Context, report func(error)) {
	p.holding.Each(ctx, func(ctx context.Context, client capnp.Client) {
		for ctx.Err() == nil {
			p.again(ctx, bundle.SlotPublisher(client), report)
			select {
			case <-p.resumed:
			case <-ctx.Done():
			}
		}
	})
}

// again publishes all targets.
func (p *publisher) again(ctx context.Context, client bundle.SlotPublisher, report func(error)) {
	p.calls.Lock()
	defer p.calls.Unlock()
	p.mu.Lock()
	targets, known := maps.Clone(p.targets), p.known
	select {
	case <-p.resumed: // it is among them
	default:
	}
	p.mu.Unlock()
	ctx, cancel := bounded(ctx)
	defer cancel()
	names := slices.Sorted(maps.Keys(targets)) // the system first
	for _, name := range names {
		err := slotPublisher{p, name}.setActive(ctx, client, targets[name])
		if err != nil && !vat.Disconnected(err) {
			report(err)
		}
	}
	if known {
		retain(ctx, client, names)
	}
}

// retainApps ends the publications of all packages of apps but these, and waits until they have ended.
func (p *publisher) retainApps(ctx context.Context, names []string) error {
	p.calls.Lock()
	defer p.calls.Unlock()
	p.mu.Lock()
	maps.DeleteFunc(p.targets, func(name string, _ updater.Publication) bool {
		return name != "" && !slices.Contains(names, name)
	})
	p.known = true
	p.mu.Unlock()
	return p.call(ctx, func(ctx context.Context, client bundle.SlotPublisher) error {
		return retain(ctx, client, names)
	})
}

// allKnown says that there are no packages beside those that were resumed.
func (p *publisher) allKnown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = true
}

func retain(ctx context.Context, client bundle.SlotPublisher, names []string) error {
	answer, release := client.RetainApps(ctx, func(args bundle.SlotPublisher_retainApps_Params) error {
		return vat.SetTexts(args.NewNames, names)
	})
	defer release()
	_, err := answer.Struct()
	return err
}

// rpcPatience bounds a call to another daemon, its restart included.
const rpcPatience = 10 * time.Second

// bounded is a context for one call to another daemon.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, rpcPatience)
}

func (p slotPublisher) setActive(ctx context.Context, client bundle.SlotPublisher, want updater.Publication) error {
	own, done := p.of(ctx, client)
	defer done()
	answer, release := own.SetActiveSlot(ctx, func(args bundle.SlotPublisher_setActiveSlot_Params) error {
		args.SetSlot(convert.Slot(want.Slot))
		args.SetBoot(want.Boot)
		return args.SetIndexSha256(convert.Digest(want.Digest))
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}
