package initd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/discovery"
	"nexus/daemons/logclient"
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
	client, service, err := clientAndService(call.Args())
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return a.s.decide("revoke", client, service, a.s.revoke, res.NewRefusal)
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
	return a.s.decide("grant", client, service, a.s.grant, res.NewRefusal)
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

// decide does what an operator asks about a client's service, and writes the audit record.
func (s *system) decide(
	op, client, service string, do func(client, service string) error, newRefusal func() (keystore.Refusal, error),
) error {
	err := do(client, service)
	audit := logclient.Audit{Op: op, Result: logclient.ResultOK, Detail: fmt.Sprintf("client=%s service=%s", client,
		service)}
	if err == nil {
		s.log.Audit(audit)
		return nil
	}
	audit.Result, audit.Reason = logclient.ResultRefused, string(refusal.Of(err))
	s.log.Audit(audit)
	return convert.Refuse(newRefusal, err)
}

// revoke takes what the graph shows under a word from a client until the system stops: a facet of its row, a name that
// it may look up, or both where the word is one of each; or its way in, where the client is a role. What the daemon
// that runs bundles loses, they lose.
func (s *system) revoke(client, service string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := s.marks(client, service)
	if err != nil {
		return err
	}
	var fresh []linkKey
	for _, key := range keys {
		if !s.revoked[key] {
			fresh = append(fresh, key)
			s.revoked[key] = true
		}
	}
	manager, _ := edgeOf(s.table, client, managerFacet)
	if len(s.grantsOf(client, manager)) > len(manager.Grants)+maxExceptions {
		s.unmark(fresh)
		return fmt.Errorf("%d bundles are refused to %s already: revoke %s", maxExceptions, client, allBundles)
	}
	return errors.Join(s.cutWithheld(), s.renew(client, fresh))
}

// maxExceptions bounds the bundles that one client is refused one by one: they stand in the grant of its
// ServiceManager.
const maxExceptions = 24

// grant undoes revoke: the links of the table, and those that were introduced to daemons, are made again. Bundles ask
// again for theirs.
func (s *system) grant(client, service string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := s.marks(client, service)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(key linkKey) bool { return !s.revoked[key] })
	s.unmark(keys)
	return errors.Join(s.renew(client, keys), s.linkMissing())
}

func (s *system) unmark(keys []linkKey) {
	for _, key := range keys {
		delete(s.revoked, key)
	}
}

// marks are the keys under which a client has what the graph shows under a word. It refuses a word that the graph does
// not show, and what cannot be taken back.
func (s *system) marks(client, service string) (keys []linkKey, err error) {
	edge, held := edgeOf(s.table, client, service)
	named := granted(s.table, client, service) || service == allBundles && grantsAll(s.table, client)
	switch {
	case held && ownEnd(client):
		return nil, refusal.New(refusal.NotRevocable,
			"initd hands out everything, so nothing is taken from it: revoke what %s holds, or shut "+
				"the system down", edge.From)
	case isBundleName(client):
		return nil, refusal.New(refusal.UnknownName,
			"%s is no daemon: what bundles look up is revoked from %s, for all of them", client, runner)
	case !held && !named:
		return s.marksOfOther(client, service)
	}
	if held {
		keys = append(keys, linkKey{client, edge.Facet})
	}
	if named {
		keys = append(keys, linkKey{client, discovery.Facet(service)})
	}
	return keys, nil
}

// marksOfOther are the marks of what is no link between daemons: the way in of a role. The rest of what the graph shows
// cannot be taken.
func (s *system) marksOfOther(client, service string) (keys []linkKey, err error) {
	for _, e := range graph(s.table, s.config.roles()) {
		switch {
		case e.holder != client:
		case e.Facet == service && e.Facet == operatorFacet && client != operatorRole:
			return []linkKey{{client, service}}, nil
		case e.Facet == service && e.Facet == operatorFacet:
			return nil, refusal.New(refusal.NotRevocable,
				"you came in as %s yourself: shut the system down, and share less the next time", client)
		case e.Facet == service:
			return nil, refusal.New(refusal.NotRevocable,
				"%s has %s open, and an open file cannot be taken from a process: shut the system down",
				client, service)
		case slices.Contains(e.Grants, service):
			return nil, refusal.New(refusal.NotRevocable, "%s is only a part of what %s holds: revoke %s", service,
				client, e.Facet)
		}
	}
	return nil, refusal.New(refusal.UnknownName, "%s is granted no %s", client, service)
}

// renew has a client live with what was revoked or granted just now: its ServiceManager is replaced where names have
// changed, so that what it looked up through the old one ends with it; whoever waits for a facet that is gone waits no
// longer; the ways in of a role are shut or open.
func (s *system) renew(client string, changed []linkKey) (err error) {
	for _, key := range changed {
		switch {
		case strings.HasPrefix(key.facet, discovery.Facet("")):
			manager, _ := edgeOf(s.table, client, managerFacet)
			err = errors.Join(err, s.drop(linkKey{client, manager.Facet}), s.link(client, manager))
			if client == runner {
				err = errors.Join(err, s.dropManagers())
			}
		case key.facet == operatorFacet:
			for _, way := range s.ways {
				way.bar(client, s.revoked[key])
			}
		case s.revoked[key] && s.alive(client):
			err = errors.Join(err, s.children[client].parent.Revoke(key.facet))
		}
	}
	return err
}

// cutWithheld drops every link that was made by a right which is gone. Each end is told, so it takes both of them to
// keep one, and the provider is the one that the cut protects.
func (s *system) cutWithheld() error {
	var errs []error
	for key, l := range s.links {
		if s.withheld(key.holder, l.edge) {
			errs = append(errs, s.drop(key))
		}
	}
	return errors.Join(errs...)
}

// linkMissing makes the links of rows and introductions that are not there.
func (s *system) linkMissing() error {
	var errs []error
	for _, row := range s.table {
		for _, edge := range slices.Concat(row.Holds, s.introduced[row.Name]) {
			if s.links[linkKey{row.Name, edge.Facet}] == nil {
				errs = append(errs, s.link(row.Name, edge))
			}
		}
	}
	return errors.Join(errs...)
}

// withheld tells whether a holder may not have a link now: the facet was revoked, or the right by which its name is
// looked up. That of a bundle is its runner's.
func (s *system) withheld(holder string, edge Edge) bool {
	name, found := strings.CutPrefix(edge.Facet, discovery.Facet(""))
	switch {
	case s.revoked[linkKey{holder, edge.Facet}]:
		return true
	case isBundle(holder):
		byRunner := !s.revoked[linkKey{runner, "BundleIntroducer"}] && !s.revoked[linkKey{runner, managerFacet}]
		return !byRunner || found && !s.mayFind(runner, name)
	}
	return found && !s.mayFind(holder, name)
}

// grantsAll tells whether the table grants the client the names of all bundles.
func grantsAll(table []Daemon, client string) bool {
	manager, has := edgeOf(table, client, managerFacet)
	return has && slices.Contains(manager.Grants, allBundles)
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
		if daemon, _ := by(end); !ownEnd(end) && s.alive(end) {
			errs = append(errs, s.children[daemon].parent.Cut(l.number))
		}
	}
	return errors.Join(errs...)
}

// grantsOf returns what may be reached through an edge: what its row says, less what was revoked.
func (s *system) grantsOf(holder string, edge Edge) []string {
	if edge.Facet != managerFacet {
		return edge.Grants
	}
	if isBundle(holder) {
		holder = runner // it looks up by the right of that
	}
	grants := slices.DeleteFunc(slices.Clone(edge.Grants),
		func(name string) bool { return s.revoked[linkKey{holder, discovery.Facet(name)}] })
	if !slices.Contains(grants, allBundles) {
		return grants
	}
	var excepted []string
	for key := range s.revoked {
		if bundle, is := strings.CutPrefix(key.facet, discovery.Facet(bundlePrefix)); is && key.holder == holder {
			excepted = append(excepted, exceptMark+bundlePrefix+bundle)
		}
	}
	slices.Sort(excepted)
	return append(grants, excepted...)
}

// exceptMark stands before a name that is not granted though a pattern has it (schema/endowment.capnp).
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

// grantedRoles are the roles by which somebody may come in now.
func (s *system) grantedRoles() []Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(s.config.roles(), func(r Role) bool { return s.revoked[linkKey{r.Name, operatorFacet}] })
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
