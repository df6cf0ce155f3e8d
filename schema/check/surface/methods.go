package surface

import "capnproto.org/go/capnp/v3/std/capnp/schema"

func (d *decoder) methods(n schema.Node) []Method {
	var all []Method
	for m := range each(ok(n.Interface().Methods())(d)) {
		if d.err != nil {
			return nil
		}
		place := len(all)
		within := scope{node: n}
		for p := range each(ok(m.ImplicitParameters())(d)) {
			within.generics = append(within.generics, ok(p.Name())(d))
		}
		all = append(all, Method{
			Ordinal: place, Name: ok(m.Name())(d), Doc: d.memberDoc(n.Id(), place), Generics: within.generics,
			Params:      d.signature(m.ParamStructType(), ok(m.ParamBrand())(d), within),
			Results:     d.signature(m.ResultStructType(), ok(m.ResultBrand())(d), within),
			Annotations: d.annotations(ok(m.Annotations())(d)),
		})
	}
	return all
}

// signature reads the parameters or results of a method. An inline list compiles to a struct without a scope.
func (d *decoder) signature(id uint64, brand schema.Brand, within scope) Signature {
	n := d.node(id)
	if d.err != nil {
		return Signature{}
	}
	if n.ScopeId() != 0 {
		return Signature{Named: true, Type: d.branded("struct", id, brand, within, 0)}
	}
	m := &members{decoder: d, scope: scope{node: within.node, generics: within.generics}}
	m.unfold(n, "", "", nil, 0)
	return Signature{Fields: m.fields}
}
