package initd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/discovery"
	"nexus/libupdates/refusal"
)

// An introducer is the Introducer capability: samgrd says who asked for which name, and initd links the two if the
// table has it so. A samgrd that lies makes links that their holders could have asked for, and no others.
type introducer struct{ s *system }

// Introduce links a client with the daemon that is bound to a name.
func (i *introducer) Introduce(_ context.Context, call registry.Introducer_introduce) error {
	client, err := call.Args().Client()
	if err != nil {
		return err
	}
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	direct, err := i.s.introduce(client, name)
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

// A bundleIntroducer is the BundleIntroducer capability: execd says which bundle looks up which name.
type bundleIntroducer struct{ s *system }

// Introduce links a bundle with whoever stands behind a name.
func (i *bundleIntroducer) Introduce(_ context.Context, call registry.BundleIntroducer_introduce) error {
	bundle, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	direct, err := i.s.introduceBundle(bundle, name)
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

// managerFacet is the facet through which names are looked up.
const managerFacet = "ServiceManager"

// registrarFacet is the right to register a name.
const registrarFacet = "Registrar"

// introduce gives a client the facet of a name. That of a daemon it has for the rest of its life: it is linked again
// like those of its row. That of a bundle it asks for again.
func (s *system) introduce(client, name string) (direct bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge := Edge{Facet: discovery.Facet(name), From: providerOf(s.table, name)}
	if !s.mayFind(client, name) || !s.alive(client) {
		return false, nil
	}
	if isBundle(edge.From) {
		return s.linkBundle(client, edge)
	}
	if slices.ContainsFunc(s.introduced[client], func(e Edge) bool { return e.Facet == edge.Facet }) {
		return true, nil
	}
	if err := s.link(client, edge); err != nil {
		return false, err
	}
	s.introduced[client] = append(s.introduced[client], edge)
	return true, nil
}

// introduceBundle gives a bundle the facet of a name, by the right of the daemon that runs it. It refuses what that may
// not look up.
func (s *system) introduceBundle(bundle, name string) (direct bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isProgram(bundle) && strings.HasSuffix(bundle, heldMark) && name == managerFacet {
		return s.linkManager(bundleMark + bundle)
	}
	edge := Edge{Facet: discovery.Facet(name), From: providerOf(s.table, name)}
	if !isProgram(bundle) || s.withheld(bundleMark+bundle, edge) {
		return false, convert.Except(refusal.New(refusal.UnknownName, "%s is granted no %s", runner, name))
	}
	return s.linkBundle(bundleMark+bundle, edge)
}

// linkManager gives a bundle a ServiceManager of its own, as good as that of the daemon that runs it, which holds the
// link.
func (s *system) linkManager(holder string) (direct bool, err error) {
	edge, held := edgeOf(s.table, runner, managerFacet)
	if !held || s.revoked[linkKey{runner, managerFacet}] {
		return false, convert.Except(refusal.New(refusal.UnknownName, "%s is granted no %s", runner, managerFacet))
	}
	return s.linkBundle(holder, edge)
}

// dropManagers cuts the bundles from what they look names up by. They ask again.
func (s *system) dropManagers() error {
	var errs []error
	for key := range s.links {
		if isBundle(key.holder) && key.facet == managerFacet {
			errs = append(errs, s.drop(key))
		}
	}
	return errors.Join(errs...)
}

// Bounds on links that have a bundle at one end. Each of the 256 bundles of a slot has its share; the sum is for a
// runner that was taken over.
const (
	maxLinksOfBundle = 16 // held by one bundle, or for it
	maxBundleLinks   = 256 * maxLinksOfBundle
)

// linkBundle makes a link with a bundle at one end or both, in place of an earlier one.
func (s *system) linkBundle(holder string, edge Edge) (direct bool, err error) {
	key := linkKey{holder, edge.Facet}
	if !s.alive(holder) || !s.alive(edge.From) {
		return false, nil
	}
	if of, all := s.bundleLinks(holder); s.links[key] == nil &&
		(of >= maxLinksOfBundle && isBundle(holder) || all >= maxBundleLinks) {
		return false, exc.New(exc.Overloaded, "", fmt.Sprintf("too many links: the limit is %d", maxLinksOfBundle))
	}
	if err := s.drop(key); err != nil {
		return false, err
	}
	return true, s.link(holder, edge)
}

// bundleLinks counts the links with a bundle at one end: those of one holder, or held for it, and all.
func (s *system) bundleLinks(holder string) (of, all int) {
	holder = strings.TrimSuffix(holder, heldMark)
	for key, l := range s.links {
		if isBundle(key.holder) || isBundle(l.edge.From) {
			all++
		}
		if strings.TrimSuffix(key.holder, heldMark) == holder {
			of++
		}
	}
	return of, all
}

// mayFind tells whether a client may look a name up now: the table grants it, and neither that nor the right to stand
// behind the name was revoked.
func (s *system) mayFind(client, name string) bool {
	revoked := s.revoked[linkKey{client, managerFacet}] || s.revoked[linkKey{client, discovery.Facet(name)}]
	if isBundleName(name) {
		revoked = revoked || s.revoked[linkKey{client, discovery.Facet(allBundles)}] ||
			s.revoked[linkKey{runner, "BundleRegistrar"}]
	} else {
		revoked = revoked || s.revoked[linkKey{providerOf(s.table, name), registrarFacet}]
	}
	return granted(s.table, client, name) && !revoked
}

// granted tells whether the table grants the client the name, by itself or by the pattern for bundles.
func granted(table []Daemon, client, name string) bool {
	manager, has := edgeOf(table, client, managerFacet)
	return has && providerOf(table, name) != "" &&
		(slices.Contains(manager.Grants, name) || isBundleName(name) && slices.Contains(manager.Grants, allBundles))
}

// providerOf returns the daemon that is bound to a name, or the bundle of that name, or "".
func providerOf(table []Daemon, name string) string {
	if isBundleName(name) {
		return bundleMark + strings.TrimPrefix(name, bundlePrefix)
	}
	for _, row := range table {
		for _, edge := range row.Holds {
			if edge.Facet == registrarFacet && slices.Contains(edge.Grants, name) {
				return row.Name
			}
		}
	}
	return ""
}
