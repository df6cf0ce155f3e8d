package initd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/initd/links"
	"nexus/daemons/logclient"
	"nexus/libupdates/refusal"
)

// An authorityServer is the Authority capability.
type authorityServer struct {
	links *links.Links
	ways  *ways
	graph []graphEdge // as if nothing were revoked
	log   *logclient.Log
	by    logclient.Caller
}

func (o *operatorServer) Authority(_ context.Context, call operator.Operator_authority) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetAuthority(operator.Authority_ServerToClient(&authorityServer{
		links: o.s.links, ways: o.s.ways, graph: graph(o.s.table, o.s.config.clients()), log: o.s.log,
		by: o.caller(),
	}))
}

// Revoke cuts a client from a service.
func (a *authorityServer) Revoke(_ context.Context, call operator.Authority_revoke) error {
	client, service, err := clientAndService(call.Args())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return a.decide("revoke", client, service, a.revoke, res.NewRefusal)
}

// Grant gives back what was revoked.
func (a *authorityServer) Grant(_ context.Context, call operator.Authority_grant) error {
	client, service, err := clientAndService(call.Args())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return a.decide("grant", client, service, a.grant, res.NewRefusal)
}

func clientAndService(args interface {
	Client() (string, error)
	Service() (string, error)
}) (client, service string, err error) {
	if client, err = args.Client(); err != nil {
		return "", "", err
	}
	service, err = args.Service()
	return client, service, err
}

// decide revokes or grants for an operator, and writes the audit record.
func (a *authorityServer) decide(
	op, client, service string, do func(client, service string) error, newRefusal func() (keystore.Refusal, error),
) error {
	err := do(client, service)
	audit := logclient.Audit{Op: op, Detail: fmt.Sprintf("client=%s service=%s", client, service), By: a.by}
	a.log.Audit(audit.Outcome(err))
	return convert.Refuse(newRefusal, err)
}

// revoke takes a link from a client until the system stops, by its name in the graph; if the client is a role, it takes
// its access.
func (a *authorityServer) revoke(client, service string) error {
	return a.change(client, service, a.links.Revoke, true)
}

// grant undoes revoke.
func (a *authorityServer) grant(client, service string) error {
	return a.change(client, service, a.links.Grant, false)
}

func (a *authorityServer) change(client, service string, link func(client, service string) error, barred bool) error {
	err := link(client, service)
	if !errors.Is(err, links.ErrNoLink) {
		return err
	}
	if err := a.wayIn(client, service); err != nil {
		return err
	}
	return a.ways.bar(client, barred)
}

// wayIn checks that a name which is not a link is a role's access. Nothing else in the graph can be revoked.
func (a *authorityServer) wayIn(client, service string) error {
	for _, e := range a.graph {
		switch {
		case e.holder != client:
		case e.Facet == service && e.Facet == operatorFacet && client != operatorRole:
			return nil
		case e.Facet == service && e.Facet == operatorFacet:
			return refusal.New(refusal.NotRevocable,
				"you came in as %s yourself: shut the system down, and share less the next time", client)
		case e.Facet == service:
			return refusal.New(refusal.NotRevocable,
				"%s has %s open, and an open file cannot be taken from a process: shut the system down",
				client, service)
		case slices.Contains(e.Grants, service):
			return refusal.New(refusal.NotRevocable, "%s is only a part of what %s holds: revoke %s", service,
				client, e.Facet)
		}
	}
	return refusal.New(refusal.UnknownName, "%s is granted no %s", client, service)
}
