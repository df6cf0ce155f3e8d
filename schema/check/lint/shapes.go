package lint

import (
	"regexp"
	"slices"
	"strings"

	"nexus/schema/check/surface"
)

func shapeRules() []Rule {
	return []Rule{
		{"bool-states",
			"the comment of each Bool says what false means (`else`, `not`, `or`, `false`), or that there is no third state", "if a third state is conceivable, an enum leaves room for it", boolStates},
		{"enum-zero", "the first enumerant is unspecified, unknown, none or the like",
			"it is the value of an unset field, which must not have a meaning", enumZero},
		{"one-power", "an interface either reads or changes (a rule of thumb, by the methods' first words)",
			"an interface is granted as a whole, and reading and changing are different powers", onePower},
	}
}

var (
	saysFalse = regexp.MustCompile(`(?i)\b(false|else|otherwise|unless|not|never|no|without|or)\b`)
)

func boolStates(c *checker) {
	for v := range c.values {
		if v.Type.Kind != "Bool" {
			continue
		}
		doc := v.Doc
		if v.method != nil {
			doc = v.method.Doc
		}
		if !saysFalse.MatchString(doc) {
			c.add(v.symbol, v.node.Class, "what does false mean, and is there no third state")
		}
	}
}

func enumZero(c *checker) {
	nothing := []string{"unspecified", "unknown", "unset", "undefined", "invalid", "none", "null", "nothing", "default",
		"reserved"}
	for n := range c.surface.All {
		if n.Kind != surface.Enum || len(n.Enumerants) == 0 {
			continue
		}
		first := n.Enumerants[0].Name
		if all := words(first); !slices.ContainsFunc(all, func(w string) bool { return slices.Contains(nothing, w) }) {
			c.add(n.Symbol(), n.Class, "%s is what an unset field says", first)
		}
	}
}

// First words of the names of methods that read, and of those that change.
var (
	reading = strings.Fields(`get list read query stat describe check find search lookup fetch peek count size history status watch follow
		subscribe observe verify is has can info inspect show view version`)
	changing = strings.Fields(`set write put add remove delete create update clear reset switch stage commit rollback discard cancel abort
		kill stop start run exec install uninstall publish register unregister insert append modify change rename move grant revoke
		enable disable shutdown restart reboot save store drop erase format`)
)

func onePower(c *checker) {
	for n := range c.surface.All {
		var reads, changes []string
		for _, m := range n.Methods {
			switch first := words(m.Name)[0]; {
			case slices.Contains(reading, first):
				reads = append(reads, m.Name)
			case slices.Contains(changing, first):
				changes = append(changes, m.Name)
			}
		}
		if len(reads) > 0 && len(changes) > 0 {
			c.add(n.Symbol(), n.Class, "reads (%s) and changes (%s)", strings.Join(reads, ", "),
				strings.Join(changes, ", "))
		}
	}
}

func lastName(dotted string) string { return dotted[strings.LastIndexByte(dotted, '.')+1:] }
