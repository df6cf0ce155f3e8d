package execd

import (
	"context"
	"errors"
	"slices"

	"nexus/capnpgen/registry"
	"nexus/daemons/vat"
)

// A manager is the ServiceManager that a bundle gets on fd 3: it knows the names that its manifest asks for, limited to
// what execd may hand on, and survives a restart of samgrd. It attenuates the program's own ServiceManager at samgrd,
// which has the same rights as execd's, to some names. It does so anew for each call.
type manager struct {
	introducer *introducer
	forwarder  *forwarder
	program    *program // whose it is
	names      []string
}

// inner returns samgrd's attenuated manager. The caller releases it.
func (m *manager) inner(ctx context.Context) (registry.ServiceManager, error) {
	client, err := m.services(ctx)
	if err != nil {
		return registry.ServiceManager{}, sameWords(err)
	}
	defer client.Release()
	answer, release := registry.ServiceManager(client).Attenuate(ctx,
		func(p registry.ServiceManager_attenuate_Params) error {
			return vat.SetTexts(p.NewNames, m.names)
		})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return registry.ServiceManager{}, err
	}
	return res.Manager().AddRef(), nil
}

// Get looks up a granted name. The result comes over a link of the program's own, which execd holds for it, so it
// survives the end of samgrd.
func (m *manager) Get(ctx context.Context, call registry.ServiceManager_get) error {
	call.Go()
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if !m.mayFind(name) {
		m.noteRefused(name)
		return errUnknownName
	}
	service, err := m.service(ctx, name)
	if err != nil {
		return sameWords(err)
	}
	res, err := call.AllocResults()
	if err != nil {
		service.Release()
		return err
	}
	return res.SetService(service)
}

// List returns the names that are granted and registered.
func (m *manager) List(ctx context.Context, call registry.ServiceManager_list) error {
	call.Go()
	inner, err := m.inner(ctx)
	if err != nil {
		return err
	}
	defer inner.Release()
	answer, release := inner.List(ctx, nil)
	defer release()
	found, err := answer.Struct()
	if err != nil {
		return err
	}
	list, err := found.Names()
	if err != nil {
		return err
	}
	names, err := vat.Texts(list)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return vat.SetTexts(res.NewNames, names)
}

// Watch reports registrations to an observer until samgrd ends.
func (m *manager) Watch(ctx context.Context, call registry.ServiceManager_watch) error {
	call.Go()
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	observer := call.Args().Observer()
	inner, err := m.inner(ctx)
	if err != nil {
		return err
	}
	defer inner.Release()
	answer, release := inner.Watch(ctx, func(p registry.ServiceManager_watch_Params) error {
		return errors.Join(p.SetName(name), p.SetObserver(observer.AddRef()))
	})
	defer release()
	watched, err := answer.Struct()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetSubscription(watched.Subscription().AddRef())
}

// maxNames bounds the names of one attenuation (schema/registry.capnp).
const maxNames = 64

// Attenuate returns a manager that knows fewer names.
func (m *manager) Attenuate(_ context.Context, call registry.ServiceManager_attenuate) error {
	list, err := call.Args().Names()
	if err != nil {
		return err
	}
	if list.Len() > maxNames {
		return errors.New("cannot attenuate: more than 64 names")
	}
	wanted, err := vat.Texts(list)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	smaller := *m
	smaller.names = common(m.names, wanted)
	return res.SetManager(registry.ServiceManager_ServerToClient(&smaller))
}

// common returns those of the wanted names that the manager has. A pattern matches only itself, because samgrd expands
// it.
func common(had, wanted []string) []string {
	return slices.DeleteFunc(wanted, func(name string) bool { return !slices.Contains(had, name) })
}
