package links

import (
	"slices"
	"strings"

	"nexus/daemons/convert"
	"nexus/daemons/discovery"
	"nexus/libupdates/refusal"
)

// Introduce gives a client the facet of a name, if the table allows it. A daemon's facet stays for as long as the
// client's instance runs: it is linked again like those of its row. A bundle's facet has to be looked up again.
func (l *Links) Introduce(client, name string) (direct bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	edge := Edge{Facet: discovery.Facet(name), From: f.rights.table.provider(name)}
	if !f.rights.mayFind(client, name) || !f.ends.alive(client) {
		return false, nil
	}
	if isBundle(edge.From) {
		return f.linkBundle(client, edge)
	}
	if slices.ContainsFunc(f.introduced[client], func(e Edge) bool { return e.Facet == edge.Facet }) {
		return true, nil
	}
	if err := f.link(client, edge); err != nil {
		return false, err
	}
	f.introduced[client] = append(f.introduced[client], edge)
	return true, nil
}

// IntroduceBundle gives a bundle the facet of a name, if the daemon that runs it may look that name up.
func (l *Links) IntroduceBundle(bundle, name string) (direct bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	edge := Edge{Facet: discovery.Facet(name), From: f.rights.table.provider(name)}
	if isProgram(bundle) && strings.HasSuffix(bundle, heldMark) && name == ManagerFacet {
		return f.linkManager(bundleMark + bundle)
	}
	if !isProgram(bundle) || f.rights.withheld(bundleMark+bundle, edge) {
		return false, convert.Except(refusal.New(refusal.UnknownName, "%s is granted no %s", Runner, name))
	}
	return f.linkBundle(bundleMark+bundle, edge)
}

// linkManager gives a bundle its own ServiceManager, with the grants of the daemon that runs it and holds the link.
func (f *fabric) linkManager(holder string) (direct bool, err error) {
	edge, held := f.rights.table.edge(Runner, ManagerFacet)
	if !held || f.rights.revoked[key{Runner, ManagerFacet}] {
		return false, convert.Except(refusal.New(refusal.UnknownName, "%s is granted no %s", Runner, ManagerFacet))
	}
	return f.linkBundle(holder, edge)
}
