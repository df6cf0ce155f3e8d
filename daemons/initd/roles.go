package initd

import (
	"context"
	"fmt"
	"slices"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/server"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/initd/links"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/refusal"
)

// A Role is a part of Operator that has a name: what those hold who come in by a socket of that role.
type Role struct {
	Name    string
	Methods []string // of Operator, by their names in the schema; `attenuate` is in every role
}

// operatorFacet is what every role holds a part of.
const operatorFacet = "Operator"

// operatorRole is the whole of Operator: the role of the control socket, and of the machine's port.
const operatorRole = "operator"

// Roles are all roles there are, from the least to the whole. They are to those outside the system what Table is to the
// daemons.
func Roles() []Role {
	look := []string{"status", "services", "daemons", "graph", "watchdog"}
	stage := append(slices.Clone(look), "stage", "handFile")
	return []Role{
		{Name: "status", Methods: look},
		{Name: "stage", Methods: stage},
		{Name: operatorRole, Methods: append(slices.Clone(stage),
			"updated", "recovery", "journal", "bundles", "packages", "exec", "anchors", "trust", "authority", "stop", "reboot")},
	}
}

// Edge is the role as a line of the authority graph: Operator from initd, and its methods where it does not have all.
func (r Role) Edge() Edge {
	edge := Edge{Facet: operatorFacet, From: initName}
	if r.Name != operatorRole {
		edge.Grants = r.Methods
	}
	return edge
}

// RoleOf returns the role of that name.
func RoleOf(name string) (Role, bool) {
	roles := Roles()
	i := slices.IndexFunc(roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return roles[i], true
}

// attenuateMethod is the one that every Operator has: giving up what one holds needs no right.
const attenuateMethod = "attenuate"

// maxAttenuation bounds the names of one attenuation (schema/operator.capnp).
const maxAttenuation = 64

// operator makes an Operator that has these methods, for a session over whose connection these files come. The others
// are taken out of what is served, before any code of theirs: nothing in operatorServer has to remember who asks.
// Those that are withheld say so.
func (s *system) operator(session *links.Session, methods, withheld []string, files *guard.Files) operator.Operator {
	served := operator.Operator_Methods(nil, newOperatorServer(s, session, methods, withheld, files))
	for i, m := range served {
		if m.MethodName != attenuateMethod && !slices.Contains(methods, m.MethodName) {
			served[i].Impl = notGranted(m.MethodName)
			if slices.Contains(withheld, m.MethodName) {
				served[i].Impl = refuseCrowd
			}
		}
	}
	return operator.Operator(capnp.NewClient(server.New(served, nil, nil)))
}

// notGranted is what stands in for a method that an Operator was made without.
func notGranted(method string) func(context.Context, *server.Call) error {
	return func(context.Context, *server.Call) error {
		return convert.Except(refusal.New(refusal.NotGranted, "this Operator was made without %s", method))
	}
}

// refuseCrowd is what stands in for a method that the place of a connection does not let it have.
func refuseCrowd(context.Context, *server.Call) error {
	return convert.Except(refusal.New(refusal.TooManyClients,
		"too many clients are connected: of %d places, %d are kept for control", maxOperators, keptPlaces))
}

// Attenuate makes an Operator with fewer methods.
func (o *operatorServer) Attenuate(_ context.Context, call operator.Operator_attenuate) error {
	list, err := call.Args().Methods()
	if err != nil {
		return err
	}
	if list.Len() > maxAttenuation {
		return fmt.Errorf("cannot attenuate: %d names are over the %d of one call", list.Len(), maxAttenuation)
	}
	wanted, err := vat.Texts(list)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(o.methods),
		func(method string) bool { return !slices.Contains(wanted, method) })
	return res.SetOperator(o.s.operator(o.session, kept, o.withheld, o.files))
}
