package execd

import (
	"context"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/registry"
	"nexus/daemons/vat"
)

// managerFor makes the ServiceManager a bundle finds on fd 3: it knows the names its manifest asks for, as far as execd
// may hand them on, and it outlives a restart of samgrd.
func (s *supervisor) managerFor(spec spec, p *program) capnp.Client {
	return capnp.Client(registry.ServiceManager_ServerToClient(&manager{sup: s, program: p, names: spec.grants}))
}

// A manager attenuates the program's own ServiceManager at samgrd, which is as good as execd's, to some names, anew for
// each call.
type manager struct {
	sup     *supervisor
	program *program // whose it is
	names   []string
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

// Get looks a granted name up. What it finds comes over a link of the program's own, which execd holds for it, so that
// samgrd may die under it.
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

// List names what is granted and registered.
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

// Watch tells an observer of registrations, as long as samgrd lives.
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
		if err := p.SetName(name); err != nil {
			return err
		}
		return p.SetObserver(observer.AddRef())
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

// Attenuate makes a manager that knows fewer names.
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
	smaller := &manager{sup: m.sup, program: m.program, names: common(m.names, wanted)}
	return res.SetManager(registry.ServiceManager_ServerToClient(smaller))
}

// common returns the wanted names that are had. A pattern is had only as itself: samgrd resolves what it stands for.
func common(had, wanted []string) []string {
	var names []string
	for _, name := range wanted {
		for _, own := range had {
			if own == name {
				names = append(names, name)
				break
			}
		}
	}
	return names
}
