package reference

import (
	"fmt"
	"regexp"
	"strings"

	"nexus/schema/check/surface"
)

func (w *writer) method(n *surface.Node, m surface.Method) {
	w.printf("\n#### %s.%s\n\n```capnp\n%s\n```\n%s", n.Name, m.Name, signature(m), prose(m.Doc))
	var facts []string
	if codes := refusals(m.Doc); len(codes) > 0 {
		facts = append(facts, "Refused as: `"+strings.Join(codes, "`, `")+"`.")
	}
	if bounds := w.bounds(n, m); len(bounds) > 0 {
		facts = append(facts, "Bounds: "+strings.Join(bounds, ", ")+".")
	}
	if types := w.types(m); len(types) > 0 {
		facts = append(facts, "Types: "+strings.Join(types, ", ")+".")
	}
	if len(facts) > 0 {
		w.printf("\n%s\n", strings.Join(facts, " "))
	}
}

// signature returns a method as schema text.
func signature(m surface.Method) string {
	generics := ""
	if len(m.Generics) > 0 {
		generics = "[" + strings.Join(m.Generics, ", ") + "] "
	}
	results := "stream"
	if !m.Streams() {
		results = side(m.Results)
	}
	return fmt.Sprintf("%s @%d %s%s -> %s;", m.Name, m.Ordinal, generics, side(m.Params), results)
}

func side(s surface.Signature) string {
	if s.Named {
		return s.Type.String()
	}
	var parts []string
	for _, f := range s.Fields {
		part := f.Name + " :" + f.Type.String()
		if f.Default != "" {
			part += " = " + written(f)
		}
		parts = append(parts, part)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// refused matches how comments state the codes with which a method is refused: in backquotes in the rest of the
// sentence.
var (
	refused = regexp.MustCompile("(?i)(?:refused as|ends as [a-z ]+,|errors?:|reasons?:)([^.]*)")
	code    = regexp.MustCompile("`([a-z][a-z0-9]*(?:-[a-z0-9]+)*)`")
)

func refusals(doc string) []string {
	var codes []string
	seen := map[string]bool{}
	for _, sentence := range refused.FindAllStringSubmatch(doc, -1) {
		for _, found := range code.FindAllStringSubmatch(sentence[1], -1) {
			if !seen[found[1]] {
				seen[found[1]] = true
				codes = append(codes, found[1])
			}
		}
	}
	return codes
}

// bounds returns the constants that the comments of a method and its interface name.
func (w *writer) bounds(n *surface.Node, m surface.Method) []string {
	var all []string
	for c := range w.surface.All {
		name := c.Name[strings.LastIndexByte(c.Name, '.')+1:]
		if c.Kind == surface.Const && regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`\b`).MatchString(m.Doc) {
			all = append(all, fmt.Sprintf("[%s](#%s) = %s", name, c.Symbol(), c.Value))
		}
	}
	return all
}

// types returns links to the types in a method's signature.
func (w *writer) types(m surface.Method) []string {
	var all []string
	seen := map[uint64]bool{}
	add := func(t surface.Type) {
		if anchor, here := w.anchors[t.ID]; here && !seen[t.ID] {
			seen[t.ID] = true
			all = append(all, fmt.Sprintf("[%s](#%s)", t.Name, anchor))
		}
	}
	for _, s := range []surface.Signature{m.Params, m.Results} {
		s.Type.Refers(add)
		for _, f := range s.Fields {
			f.Type.Refers(add)
		}
	}
	return all
}
