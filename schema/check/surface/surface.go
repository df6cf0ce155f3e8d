// Package surface describes a set of Cap'n Proto schema files: every file, type, member and method in one tree of plain
// values, with comments and compatibility class. It is read from a compiled request. The package makes no judgement and
// never runs a compiler.
package surface

import "strconv"

// A Surface has all declarations of the requested files. Of imported files it has only the names.
type Surface struct {
	Files []*File // sorted by name
}

// A File is one schema file.
type File struct {
	ID          uint64
	Name        string // path in the request, such as `update.capnp`
	Doc         string
	Class       Class
	Stated      bool // whether the file's comment states the class
	Annotations []Annotation
	Nodes       []*Node // sorted by name, including nested types
}

// A Kind is the kind of a node.
type Kind string

// The kinds of node.
const (
	Struct         Kind = "struct"
	Enum           Kind = "enum"
	Interface      Kind = "interface"
	Const          Kind = "const"
	AnnotationDecl Kind = "annotation"
)

// A Node is one declaration. Only the fields of its kind are set.
type Node struct {
	ID          uint64
	Kind        Kind
	Name        string // within its file, such as `BootRecord.Kind`
	File        *File
	Doc         string
	Class       Class
	Parameters  []string // names of its type parameters
	Annotations []Annotation

	Fields     []Field      // struct: including those in groups and unions, by ordinal
	Groups     []Group      // struct: its groups and unions, outermost first
	Enumerants []Enumerant  // enum: by ordinal
	Methods    []Method     // interface: by ordinal
	Extends    []Type       // interface: its superclasses
	Type       Type         // const, annotation
	Value      string       // const
	Targets    []string     // annotation: its possible targets
	Layout     StructLayout // struct
}

// Symbol returns the node's name for people and waivers: the file without its suffix, then the name.
func (n *Node) Symbol() string { return n.File.Symbol() + "." + n.Name }

// Symbol returns the file's name for people and waivers.
func (f *File) Symbol() string { return trimSuffix(f.Name) }

// A StructLayout is the size of a struct.
type StructLayout struct {
	DataWords uint16 // of 64 bits
	Pointers  uint16
}

// A Field is a field of a struct, or a parameter or result of a method.
type Field struct {
	Ordinal     int
	Name        string // dotted if it is in a group or named union, such as `outcome.ok`
	Doc         string
	Type        Type
	Default     string // as in schema text; empty for the type's zero
	Place       Place
	Tags        []Tag // the unions of which it is an arm, outermost first
	Annotations []Annotation
}

// A Place is where a field is stored: in the data section, in the pointer section, or nowhere (Void).
type Place struct {
	Section string // `data`, `pointer` or empty
	Offset  uint64 // data: in bits; pointer: in pointers
}

// String returns the place as in the lock, such as `data 64`.
func (p Place) String() string {
	if p.Section == "" {
		return "nowhere"
	}
	return p.Section + " " + strconv.FormatUint(p.Offset, 10)
}

// A Tag is the value of a union's discriminant for an arm.
type Tag struct {
	Union string // dotted name of the union; empty for the unnamed one
	Value uint16
}

// A Group is a group or union of a struct.
type Group struct {
	Name  string // dotted; empty for the unnamed union of the struct
	Doc   string
	Union bool
	// TagOffset is the offset of a union's discriminant, in bits of the data section.
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

// Streams reports whether the method is a streaming method, whose calls do not wait for each answer.
func (m Method) Streams() bool { return m.Results.Named && m.Results.Type.ID == StreamResult }

// StreamResult is the id of the struct in capnp/stream.capnp for `-> stream`.
const StreamResult = 0x995f9a3377c0b16e

// A Signature has the parameters or results of a method: an inline list, or a struct declared elsewhere.
type Signature struct {
	Named  bool
	Type   Type    // if Named
	Fields []Field // if not Named
}

// An Annotation is one use of an annotation.
type Annotation struct {
	ID    uint64
	Name  string // such as `go.package`
	Value string // as in schema text
}

// All iterates over all nodes of all files.
func (s *Surface) All(yield func(*Node) bool) {
	for _, f := range s.Files {
		for _, n := range f.Nodes {
			if !yield(n) {
				return
			}
		}
	}
}
