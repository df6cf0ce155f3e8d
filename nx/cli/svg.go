package cli

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

// The measures of the picture, in pixels.
const (
	svgMargin = 16
	svgName   = 104 // width of the column with the holders' names
	svgHead   = 34  // height of the row with the providers' names
	svgLine   = 15  // height of one line of text
	svgPad    = 6   // around the text of a box
	svgGap    = 6   // between two boxes, and around them in their field
	svgLetter = 6.4 // width of a letter of a facet
	svgSmall  = 5.2 // width of a letter of a grant
)

// resources is the column for what no daemon provides.
const resources = "resources"

// A grid is the authority graph as a table: a row for each holder, a column for each provider, and in each cell what
// the holder holds of the provider. A graph with this many edges cannot be drawn readably with arrows.
type grid struct {
	holders, providers []string
	fields             map[[2]string][]edge
}

func gridOf(edges []edge) grid {
	g := grid{fields: map[[2]string][]edge{}}
	for _, e := range edges {
		from := resources
		if e.Provider != nil {
			from = *e.Provider
		}
		if !slices.Contains(g.holders, e.Holder) {
			g.holders = append(g.holders, e.Holder)
		}
		if from != resources && !slices.Contains(g.providers, from) {
			g.providers = append(g.providers, from)
		}
		g.fields[[2]string{e.Holder, from}] = append(g.fields[[2]string{e.Holder, from}], e)
	}
	slices.Sort(g.providers)
	g.providers = append(g.providers, resources)
	return g
}

// printSVG draws the graph. The same edges give the same bytes.
func printSVG(w io.Writer, edges []edge) {
	g := gridOf(edges)
	widths := make([]int, len(g.providers))
	for i, p := range g.providers {
		widths[i] = int(svgLetter*1.2*float64(len(p))) + 2*svgPad
		for _, h := range g.holders {
			for _, e := range g.fields[[2]string{h, p}] {
				widths[i] = max(widths[i], boxWidth(e)+2*svgGap)
			}
		}
	}
	heights := make([]int, len(g.holders))
	for i, h := range g.holders {
		heights[i] = svgLine + 2*svgPad + 2*svgGap
		for _, p := range g.providers {
			heights[i] = max(heights[i], fieldHeight(g.fields[[2]string{h, p}]))
		}
	}
	width, height := 2*svgMargin+svgName+sum(widths), 2*svgMargin+svgHead+sum(heights)
	fmt.Fprintf(w, svgStart, width, height, width, height)
	x := svgMargin + svgName
	for i, p := range g.providers {
		fmt.Fprintf(w, `<text class="name" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", x+widths[i]/2,
			svgMargin+svgLine, label(p))
		x += widths[i]
	}
	y := svgMargin + svgHead
	for i, h := range g.holders {
		fmt.Fprintf(w, `<line x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", svgMargin, y, width-svgMargin, y)
		fmt.Fprintf(w, `<text class="name" x="%d" y="%d">%s</text>`+"\n", svgMargin, y+svgGap+svgPad+svgLine-4,
			label(holderName(h)))
		x = svgMargin + svgName
		for j, p := range g.providers {
			printField(w, g.fields[[2]string{h, p}], p == resources, x+svgGap, y+svgGap)
			x += widths[j]
		}
		y += heights[i]
	}
	fmt.Fprintln(w, "</svg>")
}

// holderName is a holder's name as far as its column has room: of a key, the beginning.
func holderName(name string) string {
	const keyMark, shown = "key:", 8
	if digits, isKey := strings.CutPrefix(name, keyMark); isKey && len(digits) > shown {
		return keyMark + digits[:shown]
	}
	return name
}

// printField draws the boxes of one cell, one below the other.
func printField(w io.Writer, edges []edge, resource bool, x, y int) {
	class := "facet"
	if resource {
		class = "resource"
	}
	for _, e := range edges {
		fmt.Fprintf(w, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="4"/>`+"\n", class, x, y, boxWidth(e),
			boxHeight(e))
		fmt.Fprintf(w, `<text x="%d" y="%d">%s</text>`+"\n", x+svgPad, y+svgPad+svgLine-4, label(e.Facet))
		for i, grant := range e.Grants {
			fmt.Fprintf(w, `<text class="grant" x="%d" y="%d">%s</text>`+"\n", x+svgPad, y+svgPad+svgLine*(i+2)-4,
				label(grant))
		}
		y += boxHeight(e) + svgGap
	}
}

func boxWidth(e edge) int {
	width := svgLetter * float64(len(e.Facet))
	for _, grant := range e.Grants {
		width = max(width, svgSmall*float64(len(grant)))
	}
	return int(width) + 2*svgPad
}

func boxHeight(e edge) int { return svgLine*(1+len(e.Grants)) + 2*svgPad - 4 }

func fieldHeight(edges []edge) int {
	height := svgGap
	for _, e := range edges {
		height += boxHeight(e) + svgGap
	}
	return height
}

func sum(all []int) (total int) {
	for _, n := range all {
		total += n
	}
	return total
}

func label(text string) string { return html.EscapeString(strings.ToValidUTF8(clean(text), "?")) }

// svgStart is everything before the first name. Its colours follow the reader's, light or dark.
const svgStart = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">
<title>Who holds what, from whom: a row for each holder, a column for each provider</title>
<style>
text { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
.name { font-weight: bold; font-size: 12px; }
.grant { font-size: 9px; fill: #59636e; }
.facet { fill: #ddf4ff; stroke: #54aeff; }
.resource { fill: #fff8c5; stroke: #d4a72c; }
line { stroke: #d1d9e0; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .grant { fill: #9198a1; } line { stroke: #3d444d; }
.facet { fill: #121d2f; stroke: #1f6feb; } .resource { fill: #272115; stroke: #9e6a03; }
}
</style>
`
