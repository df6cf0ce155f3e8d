package links

import (
	"slices"
	"strings"
)

// An Edge is a facet that a holder has.
type Edge struct {
	Facet  string   // what
	From   string   // who serves it
	Grants []string // what may be reached through it, if the facet has names to grant
}

// A Row is what the authority table grants one holder.
type Row struct {
	Name  string
	Holds []Edge
}

// Names in the table with a special meaning.
const (
	Self      = "initd"     // the first process itself
	Operators = "operators" // the row of what clients from outside may be given; each session has its own links

	ManagerFacet   = "ServiceManager" // through which names are looked up
	RegistrarFacet = "Registrar"      // the right to register a name
)

// A table is the authority graph.
type table []Row

// edge returns the edge by which a holder has a facet.
func (t table) edge(holder, facet string) (Edge, bool) {
	for _, row := range t {
		for _, edge := range row.Holds {
			if row.Name == holder && edge.Facet == facet {
				return edge, true
			}
		}
	}
	return Edge{}, false
}

// grants reports whether the table grants the client the name, as such or by the pattern for bundles.
func (t table) grants(client, name string) bool {
	manager, has := t.edge(client, ManagerFacet)
	return has && t.provider(name) != "" &&
		(slices.Contains(manager.Grants, name) || isBundleName(name) && slices.Contains(manager.Grants, allBundles))
}

// grantsAll reports whether the table grants the client the names of all bundles.
func (t table) grantsAll(client string) bool {
	manager, has := t.edge(client, ManagerFacet)
	return has && slices.Contains(manager.Grants, allBundles)
}

// provider returns the daemon that is bound to a name, or the bundle of that name, or "".
func (t table) provider(name string) string {
	if isBundleName(name) {
		return bundleMark + strings.TrimPrefix(name, bundlePrefix)
	}
	for _, row := range t {
		for _, edge := range row.Holds {
			if edge.Facet == RegistrarFacet && slices.Contains(edge.Grants, name) {
				return row.Name
			}
		}
	}
	return ""
}
