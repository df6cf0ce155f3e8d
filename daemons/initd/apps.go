package initd

import (
	"context"
	"maps"
	"slices"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/exec"
	"nexus/capnpgen/update"
	"nexus/daemons/vat"
)

// appKeepers keep the packages of apps: each has a keeper of its own, like the system.
type appKeepers struct {
	s       *system
	running sync.WaitGroup

	mu   sync.Mutex
	kept map[string]context.CancelFunc // by package
	over map[string]bool               // uninstalled, and being cleared away
}

func newAppKeepers(s *system) *appKeepers {
	return &appKeepers{s: s, kept: map[string]context.CancelFunc{}, over: map[string]bool{}}
}

// names returns the packages that are kept, in byte order.
func (k *appKeepers) names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.kept))
}

// watchApps judges the attempts of all packages of apps until ctx ends, and clears away what is left of those that are
// uninstalled.
func (s *system) watchApps(ctx context.Context) {
	k := s.apps
	s.holdings["AppGate"].Each(ctx, func(connected context.Context, client capnp.Client) {
		for retry := newRetry(s.host.Clock); ; {
			err := k.follow(ctx, connected, update.AppGate(client))
			if !retry.rest(connected) {
				return // updated is restarting
			}
			s.log.Warn("cannot follow the apps", "error", err)
		}
	})
	k.running.Wait()
}

// follow goes by what one instance of updated says, until its subscription ends.
func (k *appKeepers) follow(ctx, connected context.Context, gate update.AppGate) error {
	o := &appObserver{keepers: k, ctx: ctx, gone: make(chan struct{})}
	answer, release := gate.Follow(connected, func(p update.AppGate_follow_Params) error {
		return p.SetObserver(update.AppObserver_ServerToClient(o))
	})
	defer release() // the subscription lasts as long as its answer is held
	if _, err := answer.Struct(); err != nil {
		return err
	}
	select {
	case <-o.gone:
	case <-connected.Done():
	}
	return nil
}

// An appObserver hears which packages there are.
type appObserver struct {
	keepers *appKeepers
	ctx     context.Context // what it starts ends with it
	gone    chan struct{}   // closed when updated has dropped the observer
}

// OnChanged has exactly these packages kept.
func (o *appObserver) OnChanged(_ context.Context, call update.AppObserver_onChanged) error {
	names, err := textsOf(call.Args().Packages())
	if err != nil {
		return err
	}
	gone, err := call.Args().Gone()
	if err != nil {
		return err
	}
	o.keepers.retain(o.ctx, names)
	for i := range gone.Len() {
		name, err := gone.At(i).Name()
		if err != nil {
			return err
		}
		bundles, err := textsOf(gone.At(i).Bundles())
		if err != nil {
			return err
		}
		o.keepers.clear(o.ctx, name, bundles)
	}
	return nil
}

// textsOf takes what the getter of a list returns.
func textsOf(list capnp.TextList, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return vat.Texts(list)
}

// Shutdown runs when updated has dropped the observer or has died.
func (o *appObserver) Shutdown() { close(o.gone) }

// retain starts keepers of new packages, and ends those of packages that are gone.
func (k *appKeepers) retain(ctx context.Context, names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, end := range k.kept {
		if !slices.Contains(names, name) {
			end()
			delete(k.kept, name)
		}
	}
	for _, name := range names {
		if k.kept[name] != nil || ctx.Err() != nil {
			continue
		}
		own, end := context.WithCancel(ctx)
		k.kept[name] = end
		k.running.Go(func() {
			defer end()
			k.s.keeper(k.s.app(name), 0, func() {}).keep(own)
		})
	}
}

// clear removes the state of the bundles of a package that was uninstalled, once none of its programs runs.
func (k *appKeepers) clear(ctx context.Context, name string, bundles []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over[name] || ctx.Err() != nil {
		return
	}
	k.over[name] = true
	k.running.Go(func() {
		for retry := newRetry(k.s.host.Clock); ; {
			err := k.clearAway(ctx, name, bundles)
			if err == nil || !retry.rest(ctx) {
				break
			}
			k.s.log.Warn("cannot clear away app", "app", name, "error", err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.over, name)
	})
}

func (k *appKeepers) clearAway(ctx context.Context, name string, bundles []string) error {
	if err := k.awaitEnd(ctx, name); err != nil {
		return err
	}
	if err := k.s.states.remove(bundles); err != nil {
		return err
	}
	return k.s.holdings["AppGate"].Call(ctx, func(client capnp.Client) error {
		answer, release := update.AppGate(client).Forget(ctx, func(p update.AppGate_forget_Params) error {
			return p.SetName(name)
		})
		defer release()
		_, err := answer.Struct()
		return err
	})
}

// awaitEnd waits until execd runs no service of a package.
func (k *appKeepers) awaitEnd(ctx context.Context, name string) error {
	var known uint64
	for {
		runs := 0
		err := k.s.app(name).services.call(ctx, func(client capnp.Client) error {
			answer, release := exec.ServiceHealth(client).Next(ctx, func(p exec.ServiceHealth_next_Params) error {
				p.SetKnown(known)
				return nil
			})
			defer release()
			res, err := answer.Struct()
			if err != nil {
				return err
			}
			list, err := res.Services()
			known, runs = res.Revision(), list.Len()
			return err
		})
		if err != nil || runs == 0 {
			return err
		}
	}
}
