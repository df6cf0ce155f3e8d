package lock

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nexus/schema/check/surface"
)

// Parse parses a lock. The surface has no comments; formatting it gives the same lock.
func Parse(text []byte) (*surface.Surface, error) {
	p := &parser{surface: &surface.Surface{}}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := p.line(string(line)); err != nil {
			return nil, fmt.Errorf("cannot read lock: line %d: %w", i+1, err)
		}
	}
	return p.surface, nil
}

// A parser knows the current file and type.
type parser struct {
	surface *surface.Surface
	file    *surface.File
	node    *surface.Node
}

func (p *parser) line(text string) error {
	words, err := split(text)
	if err != nil {
		return err
	}
	l := &line{words: words}
	id, err := strconv.ParseUint(l.next(), 0, 64)
	if err != nil {
		return errors.New("it does not start with an id")
	}
	key, err := l.numbers()
	if err != nil {
		return err
	}
	kind := l.next()
	if kind == "file" {
		return p.openFile(id, l)
	}
	if p.file == nil {
		return fmt.Errorf("%s comes before the first file", kind)
	}
	switch kind {
	case "struct", "enum", "interface", "const", "annotation":
		return p.openNode(id, surface.Kind(kind), l)
	case "annotated":
		return p.annotated(key, l)
	}
	if p.node == nil || p.node.ID != id {
		return fmt.Errorf("%s belongs to no type above it", kind)
	}
	return p.member(kind, key, l)
}

func (p *parser) openFile(id uint64, l *line) error {
	name := l.next()
	if unquoted, err := strconv.Unquote(name); err == nil {
		name = unquoted
	}
	p.file = &surface.File{ID: id, Name: name, Class: surface.Class(l.next())}
	p.node = nil
	p.surface.Files = append(p.surface.Files, p.file)
	return l.err
}

func (p *parser) openNode(id uint64, kind surface.Kind, l *line) error {
	n := &surface.Node{ID: id, Kind: kind, File: p.file, Name: l.next(), Class: surface.Class(l.next())}
	l.rest(func(key, value string) {
		switch key {
		case ":":
			n.Type = l.typed(value)
		case "parameters":
			n.Parameters = strings.Split(value, ",")
		case "words":
			n.Layout.DataWords = uint16(l.uint(value))
		case "pointers":
			n.Layout.Pointers = uint16(l.uint(value))
		case "value":
			n.Value = value
		case "on":
			n.Targets = strings.Split(value, ",")
		}
	})
	p.node = n
	p.file.Nodes = append(p.file.Nodes, n)
	return l.err
}

// annotated reads the use of an annotation on the element of the line above.
func (p *parser) annotated(key []int, l *line) error {
	name, id, _ := strings.Cut(l.next(), "#")
	a := surface.Annotation{Name: name, ID: l.uint(id)}
	l.rest(func(key, value string) { a.Value = value })
	switch n := p.node; {
	case n == nil:
		p.file.Annotations = append(p.file.Annotations, a)
	case len(key) == 0:
		n.Annotations = append(n.Annotations, a)
	case len(n.Fields) > 0:
		f := &n.Fields[len(n.Fields)-1]
		f.Annotations = append(f.Annotations, a)
	case len(n.Enumerants) > 0:
		e := &n.Enumerants[len(n.Enumerants)-1]
		e.Annotations = append(e.Annotations, a)
	case len(n.Methods) > 0:
		m := &n.Methods[len(n.Methods)-1]
		m.Annotations = append(m.Annotations, a)
	default:
		return errors.New("annotated belongs to no member above it")
	}
	return l.err
}

func (p *parser) member(kind string, key []int, l *line) error {
	n := p.node
	name, inside := strings.CutPrefix(l.peek(), n.Name)
	name = strings.TrimPrefix(name, ".")
	switch kind {
	case "extends":
		l.rest(func(_, value string) { n.Extends = append(n.Extends, l.typed(value)) })
		return l.err
	case "group", "union":
		l.next()
		n.Groups = append(n.Groups, l.group(kind, name))
		return l.err
	}
	if !inside || len(key) == 0 {
		return fmt.Errorf("%s has no number, or another type's name", kind)
	}
	l.next()
	switch kind {
	case "field":
		n.Fields = append(n.Fields, l.field(key[0], name))
	case "enumerant":
		l.follows(key[0], len(n.Enumerants))
		n.Enumerants = append(n.Enumerants, surface.Enumerant{Ordinal: key[0], Name: name})
	case "method":
		l.follows(key[0], len(n.Methods))
		n.Methods = append(n.Methods, l.method(key[0], name))
	case "param", "result":
		return p.part(kind, key, name, l)
	default:
		return fmt.Errorf("%q is not an element", kind)
	}
	return l.err
}

// part reads one parameter or result, or the struct that holds them all.
func (p *parser) part(kind string, key []int, name string, l *line) error {
	at := slices.IndexFunc(p.node.Methods, func(m surface.Method) bool { return m.Ordinal == key[0] })
	if at < 0 {
		return fmt.Errorf("%s belongs to no method above it", kind)
	}
	m := &p.node.Methods[at]
	side := &m.Params
	if kind == "result" {
		side = &m.Results
	}
	if len(key) == 1 {
		side.Named = true
		l.rest(func(_, value string) { side.Type = l.typed(value) })
		return l.err
	}
	side.Fields = append(side.Fields, l.field(key[1], strings.TrimPrefix(name, m.Name+".")))
	return l.err
}
