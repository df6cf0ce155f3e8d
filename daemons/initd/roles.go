package initd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/server"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/initd/links"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/apps"
	"nexus/libupdates/refusal"
)

// A Role is a named part of Operator: what the clients of a socket with that role hold.
type Role struct {
	Name    string
	Methods []string // of Operator, by their names in the schema; `attenuate` is in every role
}

// operatorFacet is the facet of which every role is a part.
const operatorFacet = "Operator"

// operatorRole is all of Operator: the role of the control socket and of the machine's port.
const operatorRole = "operator"

// Roles returns all roles, from the least powerful to all of Operator. It is to clients outside the system what Table
// is to daemons.
func Roles() []Role {
	look := []string{"status", "services", "daemons", "graph", "watchdog"}
	stage := append(slices.Clone(look), "stage", "fetch")
	return []Role{
		{Name: "status", Methods: look},
		{Name: "stage", Methods: stage},
		{Name: appsRole, Methods: append(slices.Clone(look), "apps", "fetchApps")},
		{Name: operatorRole, Methods: append(slices.Clone(stage),
			"apps", "fetchApps", "updated", "recovery", "journal", "bundles", "packages", "exec", "anchors", "trust", "powers", "policy",
			"state", "authority", "stop", "reboot",
			"link")}, // a direct link would bypass the budget of a lesser role
	}
}

// Edge returns the role as an edge of the authority graph: Operator from initd, with its methods unless it has all.
func (r Role) Edge() Edge {
	edge := Edge{Facet: operatorFacet, From: initName}
	if whole, _ := RoleOf(operatorRole); len(r.Methods) < len(whole.Methods) {
		edge.Grants = r.Methods
	}
	return edge
}

// appsRole is the role of those who install apps. With a scope behind it, as in `apps:web.*`, it is for these apps
// only.
const appsRole = "apps"

// RoleOf returns the role with this name.
func RoleOf(name string) (Role, bool) {
	if scope, limited := strings.CutPrefix(name, appsRole+":"); limited {
		role, _ := RoleOf(appsRole)
		_, err := apps.ParseScope(scope)
		return Role{Name: name, Methods: append(role.Methods, name)}, err == nil // the provider sees the scope
	}
	roles := Roles()
	i := slices.IndexFunc(roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return roles[i], true
}

// attenuateMethod is in every Operator: no right is needed to give rights up.
const attenuateMethod = "attenuate"

// maxAttenuation bounds the names of one attenuation (schema/operator.capnp).
const maxAttenuation = 64

// A grant says what one Operator may do.
type grant struct {
	session  *links.Session
	methods  []string                    // of Operator
	withheld []string                    // for lack of a place: see keptPlaces
	attach   func(socket *os.File) error // sends a descriptor with the next answer; nil: the connection carries none
}

// caller returns whoever holds the Operator, for the audit log.
func (g grant) caller() logclient.Caller { return logclient.CallerOf(g.session.Client()) }

// refuse returns why the Operator does not have a method, or nil.
func (g grant) refuse(method string) error {
	switch {
	case method == attenuateMethod, slices.Contains(g.methods, method):
		return nil
	case slices.Contains(g.withheld, method):
		return convert.Except(refusal.New(refusal.TooManyClients,
			"too many clients are connected: of %d places, %d are kept for control", maxOperators, keptPlaces))
	}
	return convert.Except(refusal.New(refusal.NotGranted, "this Operator was made without %s", method))
}

// operator makes an Operator. Methods that it does not have are removed from what is served, so operatorServer need not
// check who calls.
func (s *system) operator(g grant) operator.Operator {
	served := operator.Operator_Methods(nil, newOperatorServer(s, g))
	for i, m := range served {
		if refused := g.refuse(m.MethodName); refused != nil {
			served[i].Impl = func(context.Context, *server.Call) error { return refused }
		}
	}
	return operator.Operator(capnp.NewClient(server.New(served, nil, nil)))
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
	fewer := o.grant
	var givenUp []string
	fewer.methods = slices.DeleteFunc(slices.Clone(o.methods), func(method string) bool {
		if slices.Contains(wanted, method) {
			return false
		}
		givenUp = append(givenUp, method)
		return true
	})
	fewer.session = o.session.Without(givenUp)
	return res.SetOperator(o.s.operator(fewer))
}
