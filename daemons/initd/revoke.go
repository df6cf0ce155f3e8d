package initd

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
// no client's.
func (s *system) revoke(client, service string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge, granted := edgeOf(s.table, client, service)
	switch {
	case client == initName:
		granted = false
	case granted:
		return s.cut(linkKey{client, edge.Facet})
	case mayFind(s.table, client, service):
		manager, _ := edgeOf(s.table, client, managerFacet)
		direct := s.cut(linkKey{client, names.Facet(service)})
		return errors.Join(direct, s.narrow(client, manager))
	}
	return refusal.New(refusal.UnknownName, "%s is granted no %s", client, service)
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
		if end != initName && s.alive(end) {
			errs = append(errs, s.children[end].parent.Cut(l.number))
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
	return slices.DeleteFunc(slices.Clone(edge.Grants), func(name string) bool { return s.revoked[linkKey{holder, names.Facet(name)}] })
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
