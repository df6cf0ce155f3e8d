// Package manual generates man pages and shell completion from the definition of a command line. The same definition
// gives the same bytes.
package manual

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A place is a command or one of its verbs, with its path as it is typed and with what may follow there.
type place struct {
	path  string
	help  string
	node  *kong.Node
	verbs []*kong.Node
	flags []*kong.Flag // including those of the places above
}

// places returns a command and all its verbs, parents first.
func places(app *kong.Application) (all []place) {
	var add func(node *kong.Node, path string, above []*kong.Flag)
	add = func(node *kong.Node, path string, above []*kong.Flag) {
		flags := slices.Concat(above, shown(node.Flags))
		here := place{path: path, help: node.Help, node: node, flags: flags}
		for _, child := range node.Children {
			if !child.Hidden {
				here.verbs = append(here.verbs, child)
			}
		}
		if d := node.DefaultCmd; d != nil { // its flags may be used without its name
			here.flags = slices.Concat(flags, shown(d.Flags))
		}
		all = append(all, here)
		for _, verb := range here.verbs {
			add(verb, path+" "+verb.Name, flags)
		}
	}
	add(app.Node, app.Name, nil)
	return all
}

func shown(flags []*kong.Flag) []*kong.Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f *kong.Flag) bool { return f.Hidden })
}

// takesValue reports whether the flag has a value, rather than being on or off.
func takesValue(f *kong.Flag) bool { return !f.IsBool() && !f.IsCounter() }

// spellings returns the ways to write a flag.
func spellings(f *kong.Flag) []string {
	all := []string{"--" + f.Name}
	if f.Short != 0 {
		all = append([]string{"-" + string(f.Short)}, all...)
	}
	return all
}

// choices returns the values of a flag or argument with a fixed set of values, or nil.
func choices(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return strings.Split(v.Enum, ",")
}
