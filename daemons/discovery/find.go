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

// managerFacet is the right to look names up.
const managerFacet = "ServiceManager"

// Find returns what stands behind a name, which the caller releases. That is the end of a link of the caller's own: it
// lives as long as the two ends do, and a call on it passes through neither samgrd nor initd. While that link stands
// samgrd is not even asked. The error for an unknown name is `unknown-name`. The wait for a daemon that is on its way
// back ends with ctx.
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

// FindBy is Find by a ServiceManager that is no holding: that of a bundle, whose endowment channel brings the link. To
// whoever cannot be linked the name is looked up in the way that is open to all; calls then pass through whoever serves
// the manager.
func FindBy(ctx context.Context, b *vat.Endowments, services registry.ServiceManager,
	name string) (capnp.Client, error) {
	link := b.Use(Facet(name))
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

// linkPatience is how long a link may take before it is asked for again: its provider may have died when it was made.
const linkPatience = time.Second

func await(ctx context.Context, link *vat.Holding) (capnp.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	return link.Get(ctx)
}

// introduce asks for a link to the provider.
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

// get looks the name up in the way that is open to all.
func get(ctx context.Context, services registry.ServiceManager, name string) (capnp.Client, error) {
	answer, release := services.Get(ctx, func(p registry.ServiceManager_get_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return capnp.Client{}, fmt.Errorf("cannot find %s: %w", name, convert.Excepted(err))
	}
	return res.Service().AddRef(), nil
}
