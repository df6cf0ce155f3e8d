// Package surface is what a set of Cap'n Proto schema files promises: every file, type, member and method in one tree
// of plain values, with its comments and its compatibility class. It reads a compiled request; it judges nothing and
// never runs a compiler.
package surface

import "strconv"

// A Surface is what the requested files declare. Imported files are known by name only.
type Surface struct {
	Files []*File // by name
}

// A File is one schema file.
type File struct {
	ID          uint64
	Name        string // path as the request has it, e.g. `update.capnp`
	Doc         string
	Class       Class
	Stated      bool // the class stands in the file's comment
	Annotations []Annotation
	Nodes       []*Node // in the order of their names; nested types included
}

// A Kind says what a node is.
type Kind string

// The kinds of node.
const (
	Struct         Kind = "struct"
	Enum           Kind = "enum"
	Interface      Kind = "interface"
	Const          Kind = "const"
	AnnotationDecl Kind = "annotation"
)

// A Node is one declaration. Only the parts of its kind are filled.
type Node struct {
	ID          uint64
	Kind        Kind
	Name        string // within its file, e.g. `BootRecord.Kind`
	File        *File
	Doc         string
	Class       Class
	Parameters  []string // names of its type parameters
	Annotations []Annotation

	Fields     []Field      // struct: the leaves of all groups and unions too, by ordinal
	Groups     []Group      // struct: its groups and unions, outermost first
	Enumerants []Enumerant  // enum: by ordinal
	Methods    []Method     // interface: by ordinal
	Extends    []Type       // interface: its superclasses
	Type       Type         // const, annotation
	Value      string       // const
	Targets    []string     // annotation: what it may be put on
	Layout     StructLayout // struct
}

// Symbol names the node for people and for waivers: file without its suffix, then the name.
func (n *Node) Symbol() string { return n.File.Symbol() + "." + n.Name }

// Symbol names the file for people and for waivers.
func (f *File) Symbol() string { return trimSuffix(f.Name) }

// A StructLayout is how large a struct is.
type StructLayout struct {
	DataWords uint16 // of 64 bits
	Pointers  uint16
}

// A Field is one leaf of a struct, or one parameter or result of a method.
type Field struct {
	Ordinal     int
	Name        string // dotted where it stands in a group or named union, e.g. `outcome.ok`
	Doc         string
	Type        Type
	Default     string // as in schema text; empty for the type's zero
	Place       Place
	Tags        []Tag // the unions it is an arm of, outermost first
	Annotations []Annotation
}

// A Place is where a field's bits are: in the data section, in the pointer section, or nowhere (Void).
type Place struct {
	Section string // `data`, `pointer` or empty
	Offset  uint64 // data: in bits; pointer: in pointers
}

// String is the place as the lock has it, e.g. `data 64`.
func (p Place) String() string {
	if p.Section == "" {
		return "nowhere"
	}
	return p.Section + " " + strconv.FormatUint(p.Offset, 10)
}

// A Tag is the value that a union's discriminant has while an arm is set.
type Tag struct {
	Union string // dotted name of the union, empty for the struct's own
	Value uint16
}

// A Group is a group or union of a struct.
type Group struct {
	Name  string // dotted; empty for the struct's own unnamed union
	Doc   string
	Union bool
	// TagOffset is where a union's discriminant is, in bits of the data section.
	TagOffset uint64
	Tags      []Tag
}

// An Enumerant is one value of an enum.
type Enumerant struct {
	Ordinal     int
	Name        string
	Doc         string
	Annotations []Annotation
}

// A Method is one method of an interface.
type Method struct {
	Ordinal     int
	Name        string
	Doc         string
	Generics    []string // its implicit type parameters
	Params      Signature
	Results     Signature
	Annotations []Annotation
}

// Streams tells whether the method's calls flow without waiting for each answer.
func (m Method) Streams() bool { return m.Results.Named && m.Results.Type.ID == StreamResult }

// StreamResult is the id of the struct in capnp/stream.capnp that stands for `-> stream`.
const StreamResult = 0x995f9a3377c0b16e

// A Signature is what a method takes or gives: a list of its own, or a struct that stands elsewhere.
type Signature struct {
	Named  bool
	Type   Type    // where Named
	Fields []Field // where not Named
}

// An Annotation is one use of an annotation.
type Annotation struct {
	ID    uint64
	Name  string // e.g. `go.package`
	Value string // as in schema text
}

// All walks every node of every file.
func (s *Surface) All(yield func(*Node) bool) {
	for _, f := range s.Files {
		for _, n := range f.Nodes {
			if !yield(n) {
				return
			}
		}
	}
}
