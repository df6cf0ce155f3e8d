package initd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nexus/capnpgen/operator"
	"nexus/daemons/logs"
	"nexus/daemons/names"
	"nexus/daemons/wire"
	"nexus/libupdates/refusal"
)

// An authorityServer is the Authority capability.
type authorityServer struct{ s *system }

func (o *operatorServer) Authority(_ context.Context, call operator.Operator_authority) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetAuthority(operator.Authority_ServerToClient(&authorityServer{o.s}))
}

// Revoke cuts a client from a service.
func (a *authorityServer) Revoke(_ context.Context, call operator.Authority_revoke) error {
	client, err := call.Args().Client()
	if err != nil {
		return err
	}
	service, err := call.Args().Service()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	err = a.s.revoke(client, service)
	a.s.auditRevoke(client, service, err)
	if err == nil {
		return nil
	}
	return wire.Refuse(res.NewRefusal, err)
}

func (s *system) auditRevoke(client, service string, err error) {
	audit := logs.Audit{Op: "revoke", Result: logs.ResultOK, Detail: fmt.Sprintf("client=%s service=%s", client, service)}
	if err != nil {
		audit.Result, audit.Reason = logs.ResultRefused, string(refusal.Of(err))
	}
	s.log.Audit(audit)
}

// revoke takes a facet of its row, or a name that it may look up, from a client until the system stops. What initd itself holds is
// no client's. What the daemon that runs bundles may look up no more, they may not either.
func (s *system) revoke(client, service string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge, held := edgeOf(s.table, client, service)
	switch {
	case client == initName:
		held = false
	case isBundleName(client):
		return refusal.New(refusal.UnknownName, "%s is no daemon: what bundles look up is revoked from %s, for all of them", client, runner)
	case held:
		return s.cut(linkKey{client, edge.Facet})
	case granted(s.table, client, service) || service == allBundles && grantsAll(s.table, client):
		return s.revokeName(client, service)
	}
	return refusal.New(refusal.UnknownName, "%s is granted no %s", client, service)
}

// maxExceptions bounds the bundles that one client is refused one by one: they stand in the grant of its ServiceManager.
const maxExceptions = 24

// revokeName takes a name from a client, with the links that it led to.
func (s *system) revokeName(client, name string) error {
	manager, _ := edgeOf(s.table, client, managerFacet)
	key := linkKey{client, names.Facet(name)}
	s.revoked[key] = true
	if len(s.grantsOf(client, manager)) > len(manager.Grants)+maxExceptions {
		delete(s.revoked, key)
		return fmt.Errorf("%d bundles are refused to %s already: revoke %s", maxExceptions, client, allBundles)
	}
	var errs []error
	for key := range s.links {
		if s.ledTo(key, client, name) {
			errs = append(errs, s.drop(key))
		}
	}
	return errors.Join(append(errs, s.narrow(client, manager))...)
}

// ledTo tells whether a link came of a client's right to look a name up: it is the client's, or that of a bundle that the client runs.
func (s *system) ledTo(key linkKey, client, name string) bool {
	if key.holder != client && !(client == runner && isBundle(key.holder)) {
		return false
	}
	return key.facet == names.Facet(name) || name == allBundles && strings.HasPrefix(key.facet, names.Facet(bundlePrefix))
}

// grantsAll tells whether the table grants the client the names of all bundles.
func grantsAll(table []Daemon, client string) bool {
	manager, has := edgeOf(table, client, managerFacet)
	return has && slices.Contains(manager.Grants, allBundles)
}

// cut ends a link for good. Each end is told, so it takes both of them to keep it, and the provider is the one that the cut protects.
func (s *system) cut(key linkKey) error {
	s.revoked[key] = true
	return s.drop(key)
}

// drop ends a link, which is forgotten, so that nobody makes it again for having ended.
func (s *system) drop(key linkKey) error {
	l := s.links[key]
	if l == nil {
		return nil
	}
	delete(s.links, key)
	if l.own != nil {
		go l.own.Close()
	}
	var errs []error
	for _, end := range []string{l.edge.From, key.holder} {
		if daemon, _ := by(end); end != initName && s.alive(end) {
			errs = append(errs, s.children[daemon].parent.Cut(l.number))
		}
	}
	return errors.Join(errs...)
}

// narrow gives a client a ServiceManager that no longer knows what was revoked, in place of the one it has: what it looked up through that
// one ends with it.
func (s *system) narrow(client string, manager Edge) error {
	return errors.Join(s.drop(linkKey{client, manager.Facet}), s.link(client, manager))
}

// grantsOf returns what may be reached through an edge: what its row says, less what was revoked.
func (s *system) grantsOf(holder string, edge Edge) []string {
	if edge.Facet != managerFacet {
		return edge.Grants
	}
	grants := slices.DeleteFunc(slices.Clone(edge.Grants), func(name string) bool { return s.revoked[linkKey{holder, names.Facet(name)}] })
	if !slices.Contains(grants, allBundles) {
		return grants
	}
	var excepted []string
	for key := range s.revoked {
		if bundle, is := strings.CutPrefix(key.facet, names.Facet(bundlePrefix)); is && key.holder == holder {
			excepted = append(excepted, exceptMark+bundlePrefix+bundle)
		}
	}
	slices.Sort(excepted)
	return append(grants, excepted...)
}

// exceptMark stands before a name that is not granted though a pattern has it (schema/birth.capnp).
const exceptMark = "!"

// granted is the table less what was revoked.
func (s *system) granted() []Daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	table := slices.Clone(s.table)
	for i, row := range table {
		var holds []Edge
		for _, edge := range row.Holds {
			if edge.Grants = s.grantsOf(row.Name, edge); !s.revoked[linkKey{row.Name, edge.Facet}] {
				holds = append(holds, edge)
			}
		}
		table[i].Holds = holds
	}
	return table
}

// edgeOf returns the edge by which a holder has a facet.
func edgeOf(table []Daemon, holder, facet string) (Edge, bool) {
	for _, row := range table {
		for _, edge := range row.Holds {
			if row.Name == holder && edge.Facet == facet {
				return edge, true
			}
		}
	}
	return Edge{}, false
}
