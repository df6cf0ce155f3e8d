package samgrd

import (
	"context"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/vat"
)

// An introduction links one client with the provider of a name. direct reports whether such a link is possible.
type introduction func(ctx context.Context, name string) (direct bool, err error)

// introduce returns an introduction for one client. initd makes the link if the authority table allows it.
func introduce(initd *vat.Holding, client string) introduction {
	return func(ctx context.Context, name string) (direct bool, err error) {
		err = initd.Call(ctx, func(c capnp.Client) error {
			answer, release := registry.Introducer(c).Introduce(ctx,
				func(p registry.Introducer_introduce_Params) error {
					return errors.Join(p.SetClient(client), p.SetName(name))
				})
			defer release()
			res, err := answer.Struct()
			if err != nil {
				return err
			}
			direct = res.Direct()
			return nil
		})
		return direct, err
	}
}

// Introduce links the client with the provider of a name that is granted and registered.
func (m *manager) Introduce(ctx context.Context, call registry.ServiceManager_introduce) error {
	call.Go()
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if !m.grant.allows(name) || !m.directory.has(name) {
		return errUnknownName
	}
	direct, err := m.introduce(ctx, name)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetDirect(direct)
	return nil
}
