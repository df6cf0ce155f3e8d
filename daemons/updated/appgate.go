package updated

import (
	"context"
	"maps"
	"slices"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
)

// An appGate is AppGate: the power over the trials of apps.
type appGate struct {
	packages *packages
	follows  *vat.Quota
}

func newAppGate(p *packages) *appGate { return &appGate{p, vat.NewQuota("subscriptions", maxFollows)} }

// Follow tells an observer which packages there are.
func (g *appGate) Follow(_ context.Context, call update.AppGate_follow) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	observer := call.Args().Observer().AddRef()
	tell := func(ctx context.Context) (more bool, err error) { return false, g.tell(ctx, observer) }
	feed := vat.Feed{Changed: g.packages.changed, Quota: g.follows}
	subscription, err := feed.Follow(capnp.Client(observer), tell)
	if err != nil {
		return err
	}
	return res.SetSubscription(update.StatusSubscription_ServerToClient(subscription))
}

func (g *appGate) tell(ctx context.Context, observer update.AppObserver) error {
	names, gone := g.packages.Started(), g.packages.Gone()
	answer, release := observer.OnChanged(ctx, func(p update.AppObserver_onChanged_Params) error {
		if err := vat.SetTexts(p.NewPackages, names); err != nil {
			return err
		}
		list, err := p.NewGone(int32(len(gone)))
		if err != nil {
			return err
		}
		for i, name := range slices.Sorted(maps.Keys(gone)) {
			if err := list.At(i).SetName(name); err != nil {
				return err
			}
			if err := vat.SetTexts(list.At(i).NewBundles, gone[name].Bundles); err != nil {
				return err
			}
		}
		return nil
	})
	defer release()
	_, err := answer.Struct()
	return err
}

// Gate returns what initd needs of a package.
func (g *appGate) Gate(_ context.Context, call update.AppGate_gate) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	engine, err := g.packages.Engine(name)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	status := g.packages.service(name, engine).status()
	gate := &gateServer{trial: engine.Trial, installed: engine.Installed}
	return res.SetGate(update.PackageGate_ServerToClient(&packageGate{gate, &status}))
}

// A packageGate is what initd has of a package.
type packageGate struct {
	*gateServer
	*statusServer
}

// Forget notes that the state of a package has been removed.
func (g *appGate) Forget(_ context.Context, call update.AppGate_forget) error {
	call.Go()
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	return g.packages.Forget(name)
}
