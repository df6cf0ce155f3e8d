package surface

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/std/capnp/schema"
)

// MaxRequestBytes is the maximum size of a compiled request, in bytes.
const MaxRequestBytes = 256 << 20

// Options say how a request is read.
type Options struct {
	// Default is the class of files that do not state one; empty means lockstep.
	Default Class
}

// Read returns the surface of a CodeGeneratorRequest, the output of `capnp compile -o-`.
func Read(request []byte, opts Options) (*Surface, error) {
	if len(request) > MaxRequestBytes {
		return nil, fmt.Errorf("cannot read request: %d bytes, want at most %d", len(request), MaxRequestBytes)
	}
	s, err := read(request)
	if err != nil {
		return nil, fmt.Errorf("cannot read request: %w", err)
	}
	fallback := opts.Default
	if fallback == "" {
		fallback = Lockstep
	}
	s.classify(fallback)
	return s, nil
}

func read(request []byte) (*Surface, error) {
	msg, err := capnp.Unmarshal(request)
	if err != nil {
		return nil, err
	}
	msg.ResetReadLimit(math.MaxInt64) // its size is bounded, and nodes are read more than once
	root, err := schema.ReadRootCodeGeneratorRequest(msg)
	if err != nil {
		return nil, err
	}
	d := &decoder{nodes: map[uint64]schema.Node{}, infos: map[uint64]schema.Node_SourceInfo{},
		files: map[uint64]string{}}
	d.index(root)
	s := &Surface{}
	for f := range each(ok(root.RequestedFiles())(d)) {
		s.Files = append(s.Files, d.file(f.Id()))
	}
	if d.err == nil && len(s.Files) == 0 {
		d.fail(errors.New("it names no file"))
	}
	return s, d.err
}

// A decoder holds a request's nodes by id, and the first error.
type decoder struct {
	nodes map[uint64]schema.Node
	infos map[uint64]schema.Node_SourceInfo
	files map[uint64]string // the names of the requested files
	err   error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) index(root schema.CodeGeneratorRequest) {
	for n := range each(ok(root.Nodes())(d)) {
		d.nodes[n.Id()] = n
	}
	for info := range each(ok(root.SourceInfo())(d)) {
		d.infos[info.Id()] = info
	}
	for f := range each(ok(root.RequestedFiles())(d)) {
		d.files[f.Id()] = ok(f.Filename())(d)
	}
}

// node returns a node. A missing one is an error of the request.
func (d *decoder) node(id uint64) schema.Node {
	n, found := d.nodes[id]
	if !found {
		d.fail(fmt.Errorf("it refers to the node %#x but does not contain it", id))
	}
	return n
}

// file reads one requested file and all its declarations, in source order.
func (d *decoder) file(id uint64) *File {
	n := d.node(id)
	f := &File{ID: id, Name: d.files[id], Doc: d.doc(id), Annotations: d.annotations(ok(n.Annotations())(d))}
	d.nested(f, n, "", 0)
	return f
}

// maxDepth bounds the nesting of declarations, groups and types, far above that of real schemas.
const maxDepth = 64

func (d *decoder) nested(f *File, scope schema.Node, prefix string, depth int) {
	if depth > maxDepth {
		d.fail(errors.New("its declarations nest too deeply"))
	}
	for inner := range each(ok(scope.NestedNodes())(d)) {
		n := d.node(inner.Id())
		name := prefix + ok(inner.Name())(d)
		if d.err != nil {
			return
		}
		if node := d.declaration(n); node != nil {
			node.File, node.Name = f, name
			f.Nodes = append(f.Nodes, node)
		}
		d.nested(f, n, name+".", depth+1)
	}
}

// declaration reads one node, or returns nil for a kind that this library does not know.
func (d *decoder) declaration(n schema.Node) *Node {
	node := &Node{ID: n.Id(), Doc: d.doc(n.Id()), Parameters: d.parameters(n),
		Annotations: d.annotations(ok(n.Annotations())(d))}
	switch n.Which() {
	case schema.Node_Which_structNode:
		node.Kind = Struct
		node.Layout = StructLayout{DataWords: n.StructNode().DataWordCount(), Pointers: n.StructNode().PointerCount()}
		node.Fields, node.Groups = d.members(n)
	case schema.Node_Which_enum:
		node.Kind = Enum
		node.Enumerants = d.enumerants(n)
	case schema.Node_Which_interface:
		node.Kind = Interface
		node.Methods = d.methods(n)
		for super := range each(ok(n.Interface().Superclasses())(d)) {
			node.Extends = append(node.Extends, d.branded("interface", super.Id(), ok(super.Brand())(d), scope{node: n},
				0))
		}
	case schema.Node_Which_const:
		node.Kind = Const
		node.Type = d.typeOf(ok(n.Const().Type())(d), scope{node: n}, 0)
		node.Value = d.value(ok(n.Const().Value())(d), node.Type)
	case schema.Node_Which_annotation:
		node.Kind = AnnotationDecl
		node.Type = d.typeOf(ok(n.Annotation().Type())(d), scope{node: n}, 0)
		node.Targets = targets(n.Annotation())
	default:
		return nil
	}
	return node
}

func (d *decoder) parameters(n schema.Node) []string {
	var names []string
	for p := range each(ok(n.Parameters())(d)) {
		names = append(names, ok(p.Name())(d))
	}
	return names
}

func (d *decoder) doc(id uint64) string {
	info, found := d.infos[id]
	if !found {
		return ""
	}
	return strings.TrimSpace(ok(info.DocComment())(d))
}

// memberDoc returns the comment of the member at that index of the node.
func (d *decoder) memberDoc(id uint64, place int) string {
	info, found := d.infos[id]
	if !found {
		return ""
	}
	members := ok(info.Members())(d)
	if place >= members.Len() {
		return ""
	}
	return strings.TrimSpace(ok(members.At(place).DocComment())(d))
}

func targets(a schema.Node_annotation) []string {
	var names []string
	for _, t := range []struct {
		name string
		set  bool
	}{
		{"file", a.TargetsFile()}, {"const", a.TargetsConst()}, {"enum", a.TargetsEnum()},
		{"enumerant", a.TargetsEnumerant()},
		{"struct", a.TargetsStruct()}, {"field", a.TargetsField()}, {"union", a.TargetsUnion()},
		{"group", a.TargetsGroup()},
		{"interface", a.TargetsInterface()}, {"method", a.TargetsMethod()}, {"param", a.TargetsParam()},
		{"annotation", a.TargetsAnnotation()},
	} {
		if t.set {
			names = append(names, t.name)
		}
	}
	return names
}
