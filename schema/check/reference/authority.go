package reference

import (
	"fmt"
	"strings"

	"nexus/schema/check/surface"
)

// sources lists, by interface, the methods that return it and those that take it.
type sources struct {
	gives, takes map[uint64][]string
}

func sourcesOf(s *surface.Surface) sources {
	out := sources{gives: map[uint64][]string{}, takes: map[uint64][]string{}}
	holds := forwarders(s)
	for n := range s.All {
		for _, m := range n.Methods {
			name := fmt.Sprintf("[%s.%s](#%s)", n.Name, m.Name, n.Symbol())
			note(out.gives, m.Results, name, holds)
			note(out.takes, m.Params, name, holds)
		}
	}
	return out
}

func note(into map[uint64][]string, side surface.Signature, method string, holds map[uint64][]uint64) {
	seen := map[uint64]bool{}
	add := func(t surface.Type) {
		for _, id := range append([]uint64{t.ID}, holds[t.ID]...) {
			if !seen[id] {
				seen[id] = true
				into[id] = append(into[id], method)
			}
		}
	}
	side.Type.Refers(add)
	for _, f := range side.Fields {
		f.Type.Refers(add)
	}
}

// forwarders returns, by struct, the declared types that its fields refer to, also through other structs.
func forwarders(s *surface.Surface) map[uint64][]uint64 {
	direct := map[uint64][]uint64{}
	for n := range s.All {
		for _, f := range n.Fields {
			f.Type.Refers(func(t surface.Type) { direct[n.ID] = append(direct[n.ID], t.ID) })
		}
	}
	all := map[uint64][]uint64{}
	for id := range direct {
		seen := map[uint64]bool{id: true}
		queue := direct[id]
		for len(queue) > 0 {
			next := queue[0]
			queue = queue[1:]
			if !seen[next] {
				seen[next] = true
				all[id] = append(all[id], next)
				queue = append(queue[:len(queue):len(queue)], direct[next]...)
			}
		}
	}
	return all
}

// authority writes who has an interface: from the start, by name, or from a method.
func (w *writer) authority(n *surface.Node) {
	var facts []string
	held, named := w.holders.of(n.Name)
	if len(held) > 0 {
		facts = append(facts, "Held by "+strings.Join(held, ", ")+".")
	}
	if len(named) > 0 {
		facts = append(facts, "Named in the grant of "+strings.Join(named, ", ")+".")
	}
	if from := w.sources.gives[n.ID]; len(from) > 0 {
		facts = append(facts, "Obtained from "+strings.Join(from, ", ")+".")
	}
	if to := w.sources.takes[n.ID]; len(to) > 0 {
		facts = append(facts, "Handed to "+strings.Join(to, ", ")+".")
	}
	if len(facts) > 0 {
		w.printf("\n%s\n", strings.Join(facts, " "))
	}
}
