// Package reference writes a schema surface as an API reference in Markdown. It has the comments and what follows from
// the schema itself: signatures, constants, where a capability comes from and, from a table of holders, who has it from
// the start.
package reference

import (
	"bytes"
	"fmt"
	"strings"

	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

// Write returns the reference. Its first lines name command as the way to generate it.
func Write(s *surface.Surface, holders Holders, command string) []byte {
	w := &writer{surface: s, holders: holders, anchors: map[uint64]string{}, sources: sourcesOf(s)}
	for n := range s.All {
		w.anchors[n.ID] = n.Symbol()
	}
	w.printf("# API reference\n\nMade from the comments of the schemas by `%s`; do not edit.\n", command)
	w.contents()
	for _, f := range s.Files {
		w.file(f)
	}
	return w.Bytes()
}

type writer struct {
	bytes.Buffer
	surface *surface.Surface
	holders Holders
	anchors map[uint64]string // by type id
	sources sources
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// contents lists each file with its interfaces.
func (w *writer) contents() {
	w.printf("\n| file | about | interfaces |\n|---|---|---|\n")
	for _, f := range w.surface.Files {
		var faces []string
		for _, n := range f.Nodes {
			if n.Kind == surface.Interface {
				faces = append(faces, w.link(n))
			}
		}
		w.printf("| [%s](#%s) | %s | %s |\n", f.Name, f.Symbol(), report.Cell(firstSentence(f.Doc)),
			strings.Join(faces, ", "))
	}
}

func (w *writer) link(n *surface.Node) string { return fmt.Sprintf("[%s](#%s)", n.Name, n.Symbol()) }

// firstSentence cuts a comment after the first full stop or colon that ends a word.
func firstSentence(doc string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	for i := 0; i < len(doc)-1; i++ {
		if (doc[i] == '.' || doc[i] == ':') && doc[i+1] == ' ' {
			return doc[:i]
		}
	}
	return strings.TrimSuffix(doc, ".")
}

func (w *writer) file(f *surface.File) {
	w.printf("\n<a id=\"%s\"></a>\n## %s\n\n%s · id `%#x`\n%s", f.Symbol(), f.Name, f.Class, f.ID, prose(f.Doc))
	w.constants(f)
	for _, kind := range []surface.Kind{surface.Interface, surface.Struct, surface.Enum} {
		for _, n := range f.Nodes {
			if n.Kind == kind {
				w.node(n)
			}
		}
	}
}

func (w *writer) constants(f *surface.File) {
	opened := false
	for _, n := range f.Nodes {
		if n.Kind != surface.Const {
			continue
		}
		if !opened {
			w.printf("\n| constant | type | value | |\n|---|---|---|---|\n")
			opened = true
		}
		w.printf("| <a id=\"%s\"></a>`%s` | %s | `%s` | %s |\n", n.Symbol(), n.Name, n.Type, n.Value,
			report.Cell(n.Doc))
	}
}

func (w *writer) node(n *surface.Node) {
	w.printf("\n<a id=\"%s\"></a>\n### %s %s\n\n%s", n.Symbol(), n.Kind, n.Name, n.Class)
	if len(n.Parameters) > 0 {
		w.printf(" · of (%s)", strings.Join(n.Parameters, ", "))
	}
	for i, super := range n.Extends {
		w.printf("%s%s", []string{" · extends ", ", "}[min(i, 1)], w.typed(super))
	}
	w.printf(" · id `%#x`\n%s", n.ID, prose(n.Doc))
	switch n.Kind {
	case surface.Interface:
		w.authority(n)
		for _, m := range n.Methods {
			w.method(n, m)
		}
	case surface.Struct:
		w.fields(n)
	case surface.Enum:
		w.printf("\n| value | name | |\n|---|---|---|\n")
		for _, e := range n.Enumerants {
			w.printf("| %d | `%s` | %s |\n", e.Ordinal, e.Name, report.Cell(e.Doc))
		}
	}
}

func (w *writer) fields(n *surface.Node) {
	if len(n.Fields) == 0 {
		return
	}
	w.printf("\n| number | field | type | |\n|---|---|---|---|\n")
	for _, f := range n.Fields {
		about := f.Doc
		if f.Default != "" {
			about = strings.TrimSpace(about + " Default " + written(f) + ".")
		}
		if len(f.Tags) > 0 {
			about = strings.TrimSpace(about + " (" + armOf(f.Tags[len(f.Tags)-1]) + ")")
		}
		w.printf("| @%d | `%s` | %s | %s |\n", f.Ordinal, f.Name, w.typed(f.Type), report.Cell(about))
	}
}

// written returns a default as schema text: for an enum, only the name.
func written(f surface.Field) string {
	if f.Type.Kind == "enum" {
		name, _, _ := strings.Cut(f.Default, "@")
		return name
	}
	return f.Default
}

func armOf(t surface.Tag) string {
	if t.Union == "" {
		return "one of the struct's union"
	}
	return "one of the union " + t.Union
}

// typed returns a type, with a link if it is declared in these files.
func (w *writer) typed(t surface.Type) string {
	text := strings.ReplaceAll(t.String(), "|", `\|`)
	leaf := t.Leaf()
	if anchor, here := w.anchors[leaf.ID]; here {
		return fmt.Sprintf("[%s](#%s)", text, anchor)
	}
	return text
}

// prose returns a comment as paragraphs.
func prose(doc string) string {
	if doc == "" {
		return ""
	}
	return "\n" + report.Prose(doc) + "\n"
}
