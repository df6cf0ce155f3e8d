package surface

import (
	"errors"
	"slices"

	"capnproto.org/go/capnp/v3/std/capnp/schema"
)

// members returns the fields of a struct including those in groups and unions. A field's number is unique in the whole
// struct, so a field that moves into a group or union stays the same field.
func (d *decoder) members(n schema.Node) ([]Field, []Group) {
	m := &members{decoder: d, scope: scope{node: n}}
	m.unfold(n, "", "", nil, 0)
	slices.SortStableFunc(m.fields, func(a, b Field) int { return a.Ordinal - b.Ordinal })
	return m.fields, m.groups
}

type members struct {
	*decoder
	scope  scope
	fields []Field
	groups []Group
}

// unfold adds the fields of a struct or group. prefix is the dotted name of the group with a final dot, tags are the
// enclosing arms.
func (m *members) unfold(n schema.Node, name, doc string, tags []Tag, depth int) {
	if depth > maxDepth {
		m.fail(errors.New("its groups nest too deeply"))
		return
	}
	if !n.IsValid() || n.Which() != schema.Node_Which_structNode {
		m.fail(errors.New("a group in it is not a struct"))
		return
	}
	body := n.StructNode()
	union := body.DiscriminantCount() > 0
	if name != "" || union {
		m.groups = append(m.groups, Group{Name: name, Doc: doc, Union: union,
			TagOffset: 16 * uint64(body.DiscriminantOffset()), Tags: tags})
	}
	prefix := name
	if prefix != "" {
		prefix += "."
	}
	place := 0
	for f := range each(ok(body.Fields())(m.decoder)) {
		arms := tags
		if f.DiscriminantValue() != noDiscriminant {
			arms = append(slices.Clone(tags), Tag{Union: name, Value: f.DiscriminantValue()})
		}
		dotted, doc := prefix+ok(f.Name())(m.decoder), m.memberDoc(n.Id(), place)
		if m.err != nil {
			return
		}
		if f.Which() == schema.Field_Which_group {
			m.unfold(m.node(f.Group().TypeId()), dotted, doc, arms, depth+1)
		} else {
			m.fields = append(m.fields, m.leaf(f, dotted, doc, arms, place))
		}
		place++
	}
}

// noDiscriminant is the discriminant value of fields that are not in a union.
const noDiscriminant = 0xffff

func (m *members) leaf(f schema.Field, name, doc string, tags []Tag, place int) Field {
	slot := f.Slot()
	t := m.typeOf(ok(slot.Type())(m.decoder), m.scope, 0)
	ordinal := place
	if f.Ordinal().Which() == schema.Field_ordinal_Which_explicit {
		ordinal = int(f.Ordinal().Explicit())
	}
	return Field{
		Ordinal: ordinal, Name: name, Doc: doc, Type: t, Default: m.defaultOf(slot, t),
		Place: placeOf(t, uint64(slot.Offset())), Tags: tags,
		Annotations: m.annotations(ok(f.Annotations())(m.decoder)),
	}
}

// defaultOf returns a default, or "" for zero, which is the same as none.
func (m *members) defaultOf(slot schema.Field_slot, t Type) string {
	if !slot.HadExplicitDefault() {
		return ""
	}
	text := m.value(ok(slot.DefaultValue())(m.decoder), t)
	if isZero(text, t) {
		return ""
	}
	return text
}

// placeOf converts a slot's offset, in units of the slot's size, to bits or pointers.
func placeOf(t Type, offset uint64) Place {
	if bits, sized := dataBits[t.Kind]; sized {
		if bits == 0 {
			return Place{}
		}
		return Place{Section: "data", Offset: bits * offset}
	}
	return Place{Section: "pointer", Offset: offset}
}

func (d *decoder) enumerants(n schema.Node) []Enumerant {
	var all []Enumerant
	for e := range each(ok(n.Enum().Enumerants())(d)) {
		place := len(all)
		all = append(all, Enumerant{
			Ordinal: place, Name: ok(e.Name())(d), Doc: d.memberDoc(n.Id(), place),
			Annotations: d.annotations(ok(e.Annotations())(d)),
		})
	}
	return all
}
