package links

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nexus/daemons/discovery"
	"nexus/libupdates/refusal"
)

// rights are what each holder may have now: the table, less what was revoked. They do not depend on links or processes.
type rights struct {
	table   table
	revoked map[key]bool // what was revoked from a holder, by facet
}

// maxExceptions bounds the single bundles that can be revoked from a client: they are listed in the grant of its
// ServiceManager.
const maxExceptions = 24

// ErrNoLink reports that a client has no link of that name.
var ErrNoLink = errors.New("no link")

// revoke takes the keys from a client, and returns those that it still had.
func (r *rights) revoke(client string, keys []key) (fresh []key, err error) {
	for _, k := range keys {
		if !r.revoked[k] {
			fresh = append(fresh, k)
			r.revoked[k] = true
		}
	}
	manager, _ := r.table.edge(client, ManagerFacet)
	if len(r.grantsOf(client, manager)) > len(manager.Grants)+maxExceptions {
		r.unmark(fresh)
		return nil, fmt.Errorf("%d bundles are refused to %s already: revoke %s", maxExceptions, client, allBundles)
	}
	return fresh, nil
}

// unmark undoes revocations, and returns the keys that were revoked.
func (r *rights) unmark(keys []key) (back []key) {
	for _, k := range keys {
		if r.revoked[k] {
			back = append(back, k)
			delete(r.revoked, k)
		}
	}
	return back
}

// marks returns the keys of what a client has under a name in the graph: a facet of its row, a name that it may look
// up, or both. It refuses what cannot be revoked; the error is ErrNoLink if it is not a link.
func (r *rights) marks(client, service string) (keys []key, err error) {
	edge, held := r.table.edge(client, service)
	named := r.table.grants(client, service) || service == allBundles && r.table.grantsAll(client)
	switch {
	case held && ownEnd(client):
		return nil, refusal.New(refusal.NotRevocable,
			"initd itself hands it out and cannot be kept from it: revoke what %s holds, or shut the system down",
			edge.From)
	case isBundleName(client):
		return nil, refusal.New(refusal.UnknownName,
			"%s is not a daemon: what bundles look up is revoked from %s, for all of them", client, Runner)
	case !held && !named:
		return nil, ErrNoLink
	}
	if held {
		keys = append(keys, key{client, edge.Facet})
	}
	if named {
		keys = append(keys, key{client, discovery.Facet(service)})
	}
	return keys, nil
}

// mayFind reports whether a client may look a name up: the table grants it, and neither that nor the right to register
// the name was revoked.
func (r *rights) mayFind(client, name string) bool {
	revoked := r.revoked[key{client, ManagerFacet}] || r.revoked[key{client, discovery.Facet(name)}]
	if isBundleName(name) {
		revoked = revoked || r.revoked[key{client, discovery.Facet(allBundles)}] ||
			r.revoked[key{Runner, "BundleRegistrar"}]
	} else {
		revoked = revoked || r.revoked[key{r.table.provider(name), RegistrarFacet}]
	}
	return r.table.grants(client, name) && !revoked
}

// withheld reports whether a holder may not have a link: the facet was revoked, or the right to look up its name. A
// bundle has the rights of its runner.
func (r *rights) withheld(holder string, edge Edge) bool {
	name, found := strings.CutPrefix(edge.Facet, discovery.Facet(""))
	switch {
	case r.revoked[key{holder, edge.Facet}]:
		return true
	case isBundle(holder):
		byRunner := !r.revoked[key{Runner, "BundleIntroducer"}] && !r.revoked[key{Runner, ManagerFacet}]
		return !byRunner || found && !r.mayFind(Runner, name)
	}
	return found && !r.mayFind(holder, name)
}

// grantsOf returns what may be reached through an edge: what its row says, less what was revoked.
func (r *rights) grantsOf(holder string, edge Edge) []string {
	if edge.Facet != ManagerFacet {
		return edge.Grants
	}
	if isBundle(holder) {
		holder = Runner // it has the runner's rights
	}
	grants := slices.DeleteFunc(slices.Clone(edge.Grants),
		func(name string) bool { return r.revoked[key{holder, discovery.Facet(name)}] })
	if !slices.Contains(grants, allBundles) {
		return grants
	}
	var excepted []string
	for k := range r.revoked {
		if bundle, is := strings.CutPrefix(k.facet, discovery.Facet(bundlePrefix)); is && k.holder == holder {
			excepted = append(excepted, exceptMark+bundlePrefix+bundle)
		}
	}
	slices.Sort(excepted)
	return append(grants, excepted...)
}

// exceptMark precedes a name that is excepted from a pattern (schema/endowment.capnp).
const exceptMark = "!"

// granted returns the table less what was revoked.
func (r *rights) granted() []Row {
	rows := slices.Clone(r.table)
	for i, row := range rows {
		var holds []Edge
		for _, edge := range row.Holds {
			if edge.Grants = r.grantsOf(row.Name, edge); !r.revoked[key{row.Name, edge.Facet}] {
				holds = append(holds, edge)
			}
		}
		rows[i].Holds = holds
	}
	return rows
}
