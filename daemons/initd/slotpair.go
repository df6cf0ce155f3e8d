package initd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/exec"
	"nexus/capnpgen/update"
	"nexus/daemons/vat"
)

// A slotPair is what has attempts that are judged: the system, or a package of apps.
type slotPair struct {
	app      string // the package; empty: the system
	gate     route  // its HealthGate
	status   route  // its UpdateStatus
	services route  // its ServiceHealth
}

// itself is the system itself.
func (s *system) itself() slotPair {
	return slotPair{
		gate: route{holding: s.holdings["HealthGate"]}, status: route{holding: s.holdings["UpdateStatus"]},
		services: route{holding: s.holdings["ServiceHealth"]},
	}
}

// app is a package of apps.
func (s *system) app(name string) slotPair {
	gates, services := s.holdings["AppGate"], s.holdings["ServiceHealth"]
	open := route{gates, func(ctx context.Context, client capnp.Client) (capnp.Client, capnp.ReleaseFunc) {
		answer, release := update.AppGate(client).Gate(ctx,
			func(p update.AppGate_gate_Params) error { return p.SetName(name) })
		return capnp.Client(answer.Gate()), release
	}}
	return slotPair{
		app:    name,
		gate:   open,
		status: open,
		services: route{services, func(ctx context.Context, client capnp.Client) (capnp.Client, capnp.ReleaseFunc) {
			answer, release := exec.ServiceHealth(client).App(ctx, func(p exec.ServiceHealth_app_Params) error {
				return p.SetName(name)
			})
			return capnp.Client(answer.Health()), release
		}},
	}
}

// A route is a capability of a daemon: a facet that initd holds, or what a call on one returns.
type route struct {
	holding *vat.Holding
	hop     func(context.Context, capnp.Client) (capnp.Client, capnp.ReleaseFunc) // nil: the facet itself
}

// from returns the capability of one instance of the daemon, until it is released.
func (r route) from(ctx context.Context, facet capnp.Client) (capnp.Client, capnp.ReleaseFunc) {
	if r.hop == nil {
		return facet, func() {}
	}
	return r.hop(ctx, facet)
}

// each runs f for each instance of the daemon, as vat.Holding.Each does.
func (r route) each(ctx context.Context, f func(context.Context, capnp.Client)) {
	r.holding.Each(ctx, func(ctx context.Context, facet capnp.Client) {
		client, release := r.from(ctx, facet)
		defer release()
		f(ctx, client)
	})
}

// call runs f with the capability, as vat.Holding.Call does.
func (r route) call(ctx context.Context, f func(capnp.Client) error) error {
	return r.holding.Call(ctx, func(facet capnp.Client) error {
		client, release := r.from(ctx, facet)
		defer release()
		return f(client)
	})
}
