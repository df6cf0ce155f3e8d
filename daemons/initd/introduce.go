package initd

import (
	"context"
	"slices"

	"nexus/capnpgen/registry"
	"nexus/daemons/names"
)

// An introducer is the Introducer capability: samgrd says who asked for which name, and initd links the two if the table has it so. A
// samgrd that lies makes links that their holders could have asked for, and no others.
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

// managerFacet is the facet through which names are looked up.
const managerFacet = "ServiceManager"

// introduce gives a client the facet of a name, for the rest of its life: the facet is linked again like those of its row.
func (s *system) introduce(client, name string) (direct bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge := Edge{Facet: names.Facet(name), From: providerOf(s.table, name)}
	if s.revoked[linkKey{client, edge.Facet}] || !mayFind(s.table, client, name) || !s.alive(client) {
		return false, nil
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

// mayFind tells whether the table grants the client the name, in so many words: a pattern grants names of bundles, which have no link.
func mayFind(table []Daemon, client, name string) bool {
	manager, has := edgeOf(table, client, managerFacet)
	return has && providerOf(table, name) != "" && slices.Contains(manager.Grants, name)
}

// providerOf returns the daemon that is bound to a name, or "".
func providerOf(table []Daemon, name string) string {
	for _, row := range table {
		for _, edge := range row.Holds {
			if edge.Facet == "Registrar" && slices.Contains(edge.Grants, name) {
				return row.Name
			}
		}
	}
	return ""
}
