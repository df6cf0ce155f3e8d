// Package lock keeps a schema surface as text: one line per element, in an order that does not depend on names, so that
// reviewers read the difference of two locks. It writes and parses that text and makes no judgement.
//
// A line starts with the id of the file or type and, for a member, its number. These are what peers rely on, so a
// rename is one line changed in place. Files are sorted by id, with the types of each file below it, sorted by id.
package lock

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nexus/schema/check/surface"
)

// header is the beginning of every lock.
const header = `# The schema surface, one line per element, keyed by type id and number. Made by schema-check lock; do not edit.
`

// Format returns the surface as a lock. The same surface gives the same bytes.
func Format(s *surface.Surface) []byte {
	w := &writer{}
	w.WriteString(header)
	for _, f := range sorted(s.Files, func(f *surface.File) uint64 { return f.ID }) {
		w.WriteString("\n")
		w.line(f.ID, "file", quoted(f.Name), string(f.Class))
		w.annotations(f.ID, "", f.Annotations)
		for _, n := range sorted(f.Nodes, func(n *surface.Node) uint64 { return n.ID }) {
			w.node(n)
		}
	}
	return w.Bytes()
}

func sorted[T any](items []T, id func(T) uint64) []T {
	return slices.SortedFunc(slices.Values(items), func(a, b T) int {
		return compareIDs(id(a), id(b))
	})
}

func compareIDs(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

type writer struct{ bytes.Buffer }

// line writes one element: an id, then words. Empty words are omitted.
func (w *writer) line(id uint64, words ...string) {
	fmt.Fprintf(w, "%#x", id)
	for _, word := range words {
		if word != "" {
			w.WriteString(" " + word)
		}
	}
	w.WriteString("\n")
}

func (w *writer) node(n *surface.Node) {
	words := []string{string(n.Kind), n.Name, string(n.Class), joined("parameters=", n.Parameters)}
	switch n.Kind {
	case surface.Struct:
		words = append(words, fmt.Sprintf("words=%d", n.Layout.DataWords),
			fmt.Sprintf("pointers=%d", n.Layout.Pointers))
	case surface.Const:
		words = append(words, typed(n.Type), "value="+n.Value)
	case surface.AnnotationDecl:
		words = append(words, typed(n.Type), joined("on=", n.Targets))
	}
	w.line(n.ID, words...)
	w.annotations(n.ID, "", n.Annotations)
	for _, super := range n.Extends {
		w.line(n.ID, "extends", typed(super))
	}
	for _, g := range n.Groups {
		w.group(n, g)
	}
	for _, f := range n.Fields {
		w.field(n.ID, number(f.Ordinal), "field", n.Name+"."+f.Name, f)
	}
	for _, e := range n.Enumerants {
		w.line(n.ID, number(e.Ordinal), "enumerant", n.Name+"."+e.Name)
		w.annotations(n.ID, number(e.Ordinal), e.Annotations)
	}
	for _, m := range n.Methods {
		w.method(n, m)
	}
}

func (w *writer) group(n *surface.Node, g surface.Group) {
	words := []string{"group", dotted(n.Name, g.Name)}
	if g.Union {
		words = []string{"union", dotted(n.Name, g.Name), fmt.Sprintf("tag=%d", g.TagOffset)}
	}
	w.line(n.ID, append(words, arms(g.Tags)...)...)
}

func (w *writer) field(id uint64, key, kind, name string, f surface.Field) {
	words := []string{key, kind, name, typed(f.Type), place(f.Place), valued("default=", f.Default)}
	w.line(id, append(words, arms(f.Tags)...)...)
	if kind == "field" {
		w.annotations(id, key, f.Annotations)
	}
}

func (w *writer) method(n *surface.Node, m surface.Method) {
	key, name := number(m.Ordinal), n.Name+"."+m.Name
	w.line(n.ID, key, "method", name, joined("parameters=", m.Generics))
	w.annotations(n.ID, key, m.Annotations)
	w.signature(n.ID, key, "param", name, m.Params)
	w.signature(n.ID, key, "result", name, m.Results)
}

// signature writes the parameters or results of a method: one line each, or one line for a struct that is declared
// elsewhere.
func (w *writer) signature(id uint64, key, kind, name string, s surface.Signature) {
	if s.Named {
		w.line(id, key, kind, name, typed(s.Type))
		return
	}
	for _, f := range s.Fields {
		w.field(id, key+" "+number(f.Ordinal), kind, name+"."+f.Name, f)
	}
}

func (w *writer) annotations(id uint64, key string, all []surface.Annotation) {
	for _, a := range all {
		w.line(id, key, "annotated", fmt.Sprintf("%s#%#x", a.Name, a.ID), valued("value=", a.Value))
	}
}

// arms returns the union arms that contain an element, outermost first.
func arms(tags []surface.Tag) []string {
	var words []string
	for _, t := range tags {
		words = append(words, fmt.Sprintf("arm=%s:%d", t.Union, t.Value))
	}
	return words
}

func number(ordinal int) string { return "@" + strconv.Itoa(ordinal) }

func typed(t surface.Type) string { return ":" + t.Keyed() }

func place(p surface.Place) string {
	if p.Section == "" {
		return ""
	}
	return fmt.Sprintf("%s=%d", p.Section, p.Offset)
}

func joined(key string, names []string) string { return valued(key, strings.Join(names, ",")) }

func valued(key, value string) string {
	if value == "" {
		return ""
	}
	return key + value
}

func dotted(outer, inner string) string {
	if inner == "" {
		return outer
	}
	return outer + "." + inner
}

// quoted returns a file's name as one word.
func quoted(name string) string {
	if strings.ContainsAny(name, " \"\\\t\n") {
		return strconv.Quote(name)
	}
	return name
}
