package discovery

import (
	"context"
	"fmt"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
)

// managerFacet is the right to look up names.
const managerFacet = "ServiceManager"

// Find returns the capability of a name, which the caller releases. It is on a link of the caller's own: the link lasts
// as long as both processes, and calls on it pass through neither samgrd nor initd. While the link exists, samgrd is
// not asked. The error for an unknown name is `unknown-name`. If the provider is restarting, Find waits until ctx ends.
func Find(ctx context.Context, b *vat.Endowments, name string) (capnp.Client, error) {
	if client, there := b.Use(Facet(name)).Now(); there {
		return client, nil
	}
	client, err := b.Use(managerFacet).Get(ctx)
	if err != nil {
		return capnp.Client{}, err
	}
	defer client.Release()
	return FindBy(ctx, b, registry.ServiceManager(client), name)
}

// FindBy is Find with a given ServiceManager, for bundles, which have theirs on descriptor 3 and receive links on their
// endowment channel. If no link is possible, the name is looked up through the manager; calls then pass through the
// process that serves the manager.
func FindBy(ctx context.Context, b *vat.Endowments, services registry.ServiceManager,
	name string) (capnp.Client, error) {
	link := b.Use(Facet(name))
	answered, err := link.Ask(ctx)
	if err != nil {
		return capnp.Client{}, fmt.Errorf("cannot find %s: %w", name, err)
	}
	defer answered()
	for {
		if client, there := link.Now(); there {
			return client, nil
		}
		direct, err := introduce(ctx, services, name)
		switch {
		case err != nil:
			return capnp.Client{}, fmt.Errorf("cannot find %s: %w", name, err)
		case !direct:
			return get(ctx, services, name)
		}
		if client, err := await(ctx, link); err == nil || ctx.Err() != nil {
			return client, err
		}
	}
}

// linkPatience is how long a link may take before it is requested again: its provider may have died when it was made.
const linkPatience = time.Second

func await(ctx context.Context, link *vat.Holding) (capnp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	return link.Get(ctx)
}

// introduce requests a link to the provider. direct reports whether a link is possible.
func introduce(ctx context.Context, services registry.ServiceManager, name string) (direct bool, err error) {
	answer, release := services.Introduce(ctx,
		func(p registry.ServiceManager_introduce_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return false, convert.Excepted(err)
	}
	return res.Direct(), nil
}

// get looks up the name through the manager.
func get(ctx context.Context, services registry.ServiceManager, name string) (capnp.Client, error) {
	answer, release := services.Get(ctx, func(p registry.ServiceManager_get_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return capnp.Client{}, fmt.Errorf("cannot find %s: %w", name, convert.Excepted(err))
	}
	return res.Service().AddRef(), nil
}
