package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// graphVerb shows the authority graph as initd made it.
type graphVerb struct {
	Dot bool `help:"Print it for Graphviz." xor:"form"`
	SVG bool `help:"Draw it: a row for each holder, a column for each provider." xor:"form"`
}

// An edge is one thing that a daemon holds.
type edge struct {
	Holder   string   `json:"holder"`
	Facet    string   `json:"facet"`
	Provider *string  `json:"provider"`
	Grants   []string `json:"grants"`
}

// Run shows which daemon was given what.
func (v *graphVerb) Run(ctx context.Context, in *invocation) error {
	switch {
	case v.Dot && in.json:
		return wrongUsage("--dot and --json exclude each other")
	case v.SVG && in.json:
		return wrongUsage("--svg and --json exclude each other")
	}
	print := printEdges
	switch {
	case v.Dot:
		print = printDot
	case v.SVG:
		print = printSVG
	}
	return show(ctx, in, "show graph", "", readEdges, print)
}

func readEdges(ctx context.Context, f *facets) ([]edge, error) {
	answer, release := f.operator.Graph(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Edges()
	if err != nil {
		return nil, err
	}
	var r reader
	edges := []edge{}
	for i := range r.Items(list.Len()) {
		m := list.At(i)
		edges = append(edges, edge{
			Holder: r.Text(m.Holder()), Facet: r.Text(m.Facet()), Provider: orNull(r.Text(m.Provider()), ""),
			Grants: r.Texts(m.Grants()),
		})
	}
	return edges, r.Err
}

func printEdges(w io.Writer, edges []edge) {
	rows := [][]string{{"HOLDER", "HOLDS", "FROM", "FOR"}}
	for _, e := range edges {
		rows = append(rows, []string{e.Holder, e.Facet, textOf(e.Provider), orDash(strings.Join(e.Grants, " "))})
	}
	table(w, rows)
}

// printDot draws an arrow from each holder to the provider, or to the resource.
func printDot(w io.Writer, edges []edge) {
	fmt.Fprintln(w, "digraph nexus {\n\trankdir=LR;")
	for _, e := range edges {
		if e.Provider == nil {
			fmt.Fprintf(w, "\t%s [shape=folder];\n\t%s -> %s;\n", dotName(e.Facet), dotName(e.Holder), dotName(e.Facet))
			continue
		}
		label := strings.Join(append([]string{e.Facet}, e.Grants...), " ")
		fmt.Fprintf(w, "\t%s -> %s [label=%s];\n", dotName(e.Holder), dotName(*e.Provider), dotName(label))
	}
	fmt.Fprintln(w, "}")
}

func dotName(text string) string { return strconv.Quote(clean(text)) }
