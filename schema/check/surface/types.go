package surface

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"capnproto.org/go/capnp/v3/std/capnp/schema"
)

// A scope is the context of a type expression: names are relative to its file, parameters are given by name.
type scope struct {
	node     schema.Node
	generics []string // the method's own type parameters
}

// dataBits returns the size of a type in the data section, in bits. Types that are not listed are pointers.
var dataBits = map[string]uint64{
	"Void": 0, "Bool": 1, "Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "UInt8": 8, "UInt16": 16, "UInt32": 32,
	"UInt64":  64,
	"Float32": 32, "Float64": 64, "enum": 16,
}

// builtins returns the names of built-in types.
var builtins = map[schema.Type_Which]string{
	schema.Type_Which_void: "Void", schema.Type_Which_bool: "Bool",
	schema.Type_Which_int8: "Int8", schema.Type_Which_int16: "Int16", schema.Type_Which_int32: "Int32",
	schema.Type_Which_int64: "Int64",
	schema.Type_Which_uint8: "UInt8", schema.Type_Which_uint16: "UInt16", schema.Type_Which_uint32: "UInt32",
	schema.Type_Which_uint64:  "UInt64",
	schema.Type_Which_float32: "Float32", schema.Type_Which_float64: "Float64",
	schema.Type_Which_text: "Text", schema.Type_Which_data: "Data",
}

func (d *decoder) typeOf(t schema.Type, in scope, depth int) Type {
	if depth > maxDepth {
		d.fail(errors.New("its types nest too deeply"))
		return Type{}
	}
	if name, found := builtins[t.Which()]; found {
		return Type{Kind: name, Name: name}
	}
	switch t.Which() {
	case schema.Type_Which_list:
		elements := d.typeOf(ok(t.List().ElementType())(d), in, depth+1)
		return Type{Kind: "List", Elements: &elements}
	case schema.Type_Which_enum:
		return d.branded("enum", t.Enum().TypeId(), ok(t.Enum().Brand())(d), in, depth)
	case schema.Type_Which_structType:
		return d.branded("struct", t.StructType().TypeId(), ok(t.StructType().Brand())(d), in, depth)
	case schema.Type_Which_interface:
		return d.branded("interface", t.Interface().TypeId(), ok(t.Interface().Brand())(d), in, depth)
	case schema.Type_Which_anyPointer:
		return d.pointer(t.AnyPointer(), in)
	}
	d.fail(fmt.Errorf("it uses a kind of type (%d) that is not known here", t.Which()))
	return Type{}
}

func (d *decoder) pointer(p schema.Type_anyPointer, in scope) Type {
	switch p.Which() {
	case schema.Type_anyPointer_Which_parameter:
		return d.parameter(p.Parameter().ScopeId(), int(p.Parameter().ParameterIndex()))
	case schema.Type_anyPointer_Which_implicitMethodParameter:
		index := int(p.ImplicitMethodParameter().ParameterIndex())
		name := fmt.Sprintf("T%d", index)
		if index < len(in.generics) {
			name = in.generics[index]
		}
		return Type{Kind: "parameter", Name: name, Index: index}
	}
	switch p.Unconstrained().Which() {
	case schema.Type_anyPointer_unconstrained_Which_struct:
		return Type{Kind: "AnyStruct", Name: "AnyStruct"}
	case schema.Type_anyPointer_unconstrained_Which_list:
		return Type{Kind: "AnyList", Name: "AnyList"}
	case schema.Type_anyPointer_unconstrained_Which_capability:
		return Type{Kind: "Capability", Name: "Capability"}
	}
	return Type{Kind: "AnyPointer", Name: "AnyPointer"}
}

func (d *decoder) parameter(scopeID uint64, index int) Type {
	t := Type{Kind: "parameter", ID: scopeID, Index: index, Name: fmt.Sprintf("T%d", index)}
	if n, found := d.nodes[scopeID]; found {
		if names := d.parameters(n); index < len(names) {
			t.Name = names[index]
		}
	}
	return t
}

// branded reads a declared type and its type arguments.
func (d *decoder) branded(kind string, id uint64, brand schema.Brand, in scope, depth int) Type {
	t := Type{Kind: kind, ID: id, Name: d.nameOf(id, in)}
	for s := range each(ok(brand.Scopes())(d)) {
		if s.ScopeId() != id || s.Which() != schema.Brand_Scope_Which_bind {
			continue
		}
		for b := range each(ok(s.Bind())(d)) {
			bound := Type{Kind: "AnyPointer", Name: "AnyPointer"}
			if b.Which() == schema.Brand_Binding_Which_type {
				bound = d.typeOf(ok(b.Type())(d), in, depth+1)
			}
			t.Bindings = append(t.Bindings, bound)
		}
	}
	return t
}

// nameOf returns a declared type's name as seen from the scope: with its file if that is another one. Names of files
// that were not requested lose their folder, which depends on where they were found.
func (d *decoder) nameOf(id uint64, in scope) string {
	file, name := d.split(id)
	if file == 0 {
		return fmt.Sprintf("%#x", id)
	}
	if at, _ := d.split(in.node.Id()); at == file {
		return name
	}
	if requested, found := d.files[file]; found {
		return trimSuffix(path.Base(requested)) + "." + name
	}
	return trimSuffix(path.Base(ok(d.nodes[file].DisplayName())(d))) + "." + name
}

// split returns the file of a node, or 0 if it is not in the request, and the node's name within the file.
func (d *decoder) split(id uint64) (file uint64, name string) {
	n, found := d.nodes[id]
	if !found {
		return 0, ""
	}
	_, name, _ = strings.Cut(ok(n.DisplayName())(d), ".capnp:")
	for range maxDepth {
		if n.Which() == schema.Node_Which_file {
			return n.Id(), name
		}
		if n, found = d.nodes[n.ScopeId()]; !found {
			return 0, name
		}
	}
	return 0, name
}
