package lint

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"nexus/schema/check/surface"
)

func nameRules() []Rule {
	return []Rule{
		{"name-case", "types are UpperCamel, all else lowerCamel, and an abbreviation is a word (`Http`, not `HTTP`)",
			"generators split names at changes of case", nameCase},
		{"name-unit", "a number that measures time, or a rate, says its unit at the end of its name (`timeoutMs`)",
			"a number without a unit is misread; sizes and offsets are in bytes by convention",
			nameUnit},
		{"name-vague", "no type is a Manager, Mgr, Util, Common, Helper, Misc or Stuff",
			"such a name does not describe a role, so everything is put there", nameVague},
		{"name-repeats",
			"a member's name does not begin with the name of its type (`Bundle.name`, not `Bundle.bundleName`)",
			"the type is already in the qualified name", nameRepeats},
	}
}

var (
	upperCamel = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	lowerCamel = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
	shouting   = regexp.MustCompile(`[A-Z]{3,}`)
)

func nameCase(c *checker) {
	look := func(n *surface.Node, symbol, dotted string, want *regexp.Regexp) {
		name := dotted[strings.LastIndexByte(dotted, '.')+1:]
		switch {
		case !want.MatchString(name):
			c.add(symbol, n.Class, "%s is not camel case", name)
		case shouting.MatchString(name):
			c.add(symbol, n.Class, "%s has an abbreviation in capitals", name)
		}
	}
	for n := range c.surface.All {
		want := upperCamel
		if n.Kind == surface.Const || n.Kind == surface.AnnotationDecl {
			want = lowerCamel
		}
		look(n, n.Symbol(), n.Name, want)
		for _, e := range n.Enumerants {
			look(n, n.Symbol()+"."+e.Name, e.Name, lowerCamel)
		}
		for _, m := range n.Methods {
			look(n, n.Symbol()+"."+m.Name, m.Name, lowerCamel)
		}
	}
	for v := range c.values {
		look(v.node, v.symbol, v.Name, lowerCamel)
	}
}

// measures are last words of names whose unit cannot be guessed.
var measures = []string{
	"timeout", "deadline", "delay", "duration", "interval", "period", "latency", "elapsed", "age", "ttl", "time",
	"timestamp", "uptime",
	"expiry", "lifetime", "rate", "speed", "bandwidth", "frequency", "throughput", "temperature", "distance",
}

func nameUnit(c *checker) {
	for v := range c.values {
		if !isNumber(v.Type) {
			continue
		}
		all := words(v.Name)
		if last := all[len(all)-1]; slices.Contains(measures, last) {
			c.add(v.symbol, v.node.Class, "%s of what unit: say it in the name", last)
		}
	}
	for n := range c.surface.All {
		if all := words(n.Name); n.Kind == surface.Const && isNumber(n.Type) &&
			slices.Contains(measures, all[len(all)-1]) {
			c.add(n.Symbol(), n.Class, "%s of what unit: say it in the name", all[len(all)-1])
		}
	}
}

func isNumber(t surface.Type) bool {
	for _, kind := range []string{"Int", "UInt", "Float"} {
		if strings.HasPrefix(t.Kind, kind) {
			return true
		}
	}
	return false
}

// words splits the last part of a dotted camel-case name into lower-case words.
func words(dotted string) []string {
	name := dotted[strings.LastIndexByte(dotted, '.')+1:]
	var all []string
	start := 0
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			all = append(all, strings.ToLower(name[start:i]))
			start = i
		}
	}
	return append(all, strings.ToLower(name[start:]))
}

func nameVague(c *checker) {
	vague := []string{"manager", "mgr", "util", "utils", "common", "helper", "helpers", "misc", "stuff"}
	for n := range c.surface.All {
		if n.Kind == surface.Const || n.Kind == surface.AnnotationDecl {
			continue
		}
		if all := words(n.Name); slices.Contains(vague, all[len(all)-1]) {
			c.add(n.Symbol(), n.Class, "%s does not describe a role", n.Name)
		}
	}
}

func nameRepeats(c *checker) {
	for n := range c.surface.All {
		base := n.Name[strings.LastIndexByte(n.Name, '.')+1:]
		look := func(name string) {
			last := name[strings.LastIndexByte(name, '.')+1:]
			if rest, repeats := strings.CutPrefix(last, lowerFirst(base)); repeats && rest != "" &&
				unicode.IsUpper(rune(rest[0])) {
				c.add(n.Symbol()+"."+name, n.Class, "%s repeats its type's name", last)
			}
		}
		for _, f := range n.Fields {
			look(f.Name)
		}
		for _, e := range n.Enumerants {
			look(e.Name)
		}
		for _, m := range n.Methods {
			look(m.Name)
		}
	}
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }
