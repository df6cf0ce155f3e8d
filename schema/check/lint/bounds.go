package lint

import (
	"regexp"

	"nexus/schema/check/surface"
)

func boundRules() []Rule {
	return []Rule{
		{"bound-stated",
			"for each blessed List, Text and Data, its comment or that of its type or file states a maximum size, as a number or a `max…` constant", "without a stated bound, readers have none, and writers exceed those of others", boundStated},
		{"bound-constant", "a `max…` or `min…` name in a comment is a constant of these schemas",
			"a bound that is not declared does not hold", boundConstant},
	}
}

// bound matches a bound in a comment: a number with its unit, a range, or a constant.
var bound = regexp.MustCompile(`(?i)\bmax[A-Z][A-Za-z0-9]*` +
	`|\b(at most|up to|no more than|never more than|limited to|exactly|one of)\b` +
	`|\b\d+(-| )?(bytes?|bits?|words?|characters?|entries|elements?|items?|kib|mib|gib|kb|mb|gb)\b` +
	`|\b\d+ to \d+\b`)

func boundStated(c *checker) {
	for v := range c.values {
		if v.node.Class != surface.Blessed || !unbounded(v.Type) {
			continue
		}
		if !anyMatches(bound, v.docs) {
			c.add(v.symbol, v.node.Class, "how large may this %s be", v.Type)
		}
	}
}

func unbounded(t surface.Type) bool { return t.Kind == "List" || t.Kind == "Text" || t.Kind == "Data" }

func anyMatches(pattern *regexp.Regexp, docs []string) bool {
	for _, doc := range docs {
		if pattern.MatchString(doc) {
			return true
		}
	}
	return false
}

// limit matches the name of a constant in a comment.
var limit = regexp.MustCompile(`\b(max|min)[A-Z][A-Za-z0-9]*\b`)

func boundConstant(c *checker) {
	declared := map[string]bool{}
	for n := range c.surface.All {
		if n.Kind == surface.Const {
			declared[n.Name] = true
			declared[lastName(n.Name)] = true
		}
		for _, f := range n.Fields {
			declared[lastName(f.Name)] = true // a bound may also be a field
		}
	}
	look := func(symbol string, class surface.Class, doc string) {
		for _, name := range limit.FindAllString(doc, -1) {
			if !declared[name] {
				c.add(symbol, class, "the comment names %s, which is not a constant of these schemas", name)
			}
		}
	}
	for n := range c.surface.All {
		look(n.Symbol(), n.Class, n.Doc)
		for _, f := range n.Fields {
			look(n.Symbol()+"."+f.Name, n.Class, f.Doc)
		}
		for _, m := range n.Methods {
			known := append(append([]surface.Field{}, m.Params.Fields...), m.Results.Fields...)
			doc := m.Doc
			for _, f := range known {
				doc = regexp.MustCompile(`\b`+regexp.QuoteMeta(f.Name)+`\b`).ReplaceAllString(doc, "")
			}
			look(n.Symbol()+"."+m.Name, n.Class, doc)
		}
	}
}
