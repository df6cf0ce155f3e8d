package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"nexus/capnpgen/bundle"
)

// bundlesVerb shows the published bundles.
type bundlesVerb struct{}

// A publication is the published set.
type publication struct {
	Slot          *string           `json:"slot"`
	SystemVersion *string           `json:"systemVersion"`
	IndexSHA256   *string           `json:"indexSha256"`
	Boot          uint64            `json:"boot"`
	Bundles       []publishedBundle `json:"bundles"`
}

type publishedBundle struct {
	Name           string   `json:"name"`
	Version        string   `json:"version"`
	Abilities      []string `json:"abilities"`
	Capabilities   []string `json:"capabilities"`
	PayloadSize    uint64   `json:"payloadSize"`
	PayloadSHA256  string   `json:"payloadSha256"`
	ManifestSHA256 string   `json:"manifestSha256"`
}

// Run shows what bundlemgrd has published.
func (*bundlesVerb) Run(ctx context.Context, in *invocation) error {
	return show(ctx, in, "show bundles", "", readPublication, printPublication)
}

func readPublication(ctx context.Context, f *facets) (publication, error) {
	bundles, done := f.bundles(ctx)
	defer done()
	answer, release := bundles.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return publication{}, err
	}
	m, err := res.Publication()
	if err != nil {
		return publication{}, err
	}
	var r reader
	return r.publication(m), r.Err
}

func (r *reader) publication(m bundle.Publication) publication {
	p := publication{
		Slot: slotOrNull(m.Slot()), Boot: m.Boot(), Bundles: []publishedBundle{},
		SystemVersion: orNull(r.Text(m.SystemVersion()), ""),
		IndexSHA256:   orNull(r.digest(m.IndexSha256()), ""),
	}
	list, err := m.Bundles()
	r.Note(err)
	for i := range r.Items(list.Len()) {
		b := list.At(i)
		p.Bundles = append(p.Bundles, publishedBundle{
			Name: r.Text(b.Name()), Version: r.Text(b.Version()),
			Abilities: r.Texts(b.Abilities()), Capabilities: r.Texts(b.Capabilities()),
			PayloadSize: b.PayloadSize(), PayloadSHA256: r.digest(b.PayloadSha256()),
			ManifestSHA256: r.digest(b.ManifestSha256()),
		})
	}
	return p
}

func printPublication(w io.Writer, p publication) {
	switch {
	case p.Slot == nil:
		fmt.Fprintln(w, "nothing is published")
		return
	case p.SystemVersion == nil:
		fmt.Fprintf(w, "slot %s is published and empty\n", *p.Slot)
		return
	}
	fmt.Fprintf(w, "%s in slot %s\n", clean(*p.SystemVersion), *p.Slot)
	rows := [][]string{{"BUNDLE", "VERSION", "SIZE", "ABILITIES", "ASKS FOR"}}
	for _, b := range p.Bundles {
		rows = append(rows, []string{
			b.Name, b.Version, humanize.IBytes(b.PayloadSize), orDash(strings.Join(b.Abilities, " ")),
			orDash(strings.Join(b.Capabilities, " ")),
		})
	}
	table(w, rows)
}
