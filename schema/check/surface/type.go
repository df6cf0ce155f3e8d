package surface

import (
	"fmt"
	"strings"
)

// A Type is a type expression.
type Type struct {
	Kind     string // `Text`, `UInt8`, `List`, `struct`, `enum`, `interface`, `parameter` …
	ID       uint64 // struct, enum, interface; parameter: the scope that declares it
	Name     string // as in schema text, without the file if that is the current one
	Elements *Type  // List
	Index    int    // parameter: its index
	Bindings []Type // the arguments of a generic type, in order
}

// String returns the type as schema text.
func (t Type) String() string {
	return t.write(func(t Type) string { return t.Name }, ", ")
}

// Keyed returns the type with the id of each declared name, such as `List(Slot#0xb5af3c6f0f9e4a2d)`, and the index of
// each type parameter, such as `T@0#0x…`, or `T@0` if a method declares it. It contains no spaces.
func (t Type) Keyed() string {
	return t.write(func(t Type) string {
		name := t.Name
		if t.Kind == "parameter" {
			name = fmt.Sprintf("%s@%d", name, t.Index)
		}
		if t.ID != 0 {
			name = fmt.Sprintf("%s#%#x", name, t.ID)
		}
		return name
	}, ",")
}

func (t Type) write(name func(Type) string, comma string) string {
	if t.Elements != nil {
		return "List(" + t.Elements.write(name, comma) + ")"
	}
	if len(t.Bindings) == 0 {
		return name(t)
	}
	var bound []string
	for _, b := range t.Bindings {
		bound = append(bound, b.write(name, comma))
	}
	return name(t) + "(" + strings.Join(bound, comma) + ")"
}

// Refers calls visit for each declared type in the expression.
func (t Type) Refers(visit func(Type)) {
	switch t.Kind {
	case "struct", "enum", "interface":
		visit(t)
	}
	if t.Elements != nil {
		t.Elements.Refers(visit)
	}
	for _, b := range t.Bindings {
		b.Refers(visit)
	}
}

// Leaf returns the innermost element type of nested lists, or the type itself.
func (t Type) Leaf() Type {
	for t.Elements != nil {
		t = *t.Elements
	}
	return t
}
