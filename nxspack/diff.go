package nxspack

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"nexus/libupdates/nxs"
)

// diffVerb compares two sets.
type diffVerb struct {
	Old string `arg:"" help:"The old set."`
	New string `arg:"" help:"The new set."`
}

// Run prints the differences. Like inspect, it does not check whether the publishers are trusted.
func (v *diffVerb) Run(ctx context.Context, c *command) error {
	before, _, err := inspect(ctx, v.Old)
	if err != nil {
		return cannot("inspect", v.Old, err)
	}
	after, _, err := inspect(ctx, v.New)
	if err != nil {
		return cannot("inspect", v.New, err)
	}
	d := difference{Old: side(before), New: side(after), Bundles: changes(before.Index.Bundles, after.Index.Bundles)}
	return c.answer(d, d.text(before, after))
}

// difference is the JSON answer.
type difference struct {
	Old     diffSide `json:"old"`
	New     diffSide `json:"new"`
	Bundles []change `json:"bundles"`
}

type diffSide struct {
	SystemVersion  string `json:"systemVersion"`
	IndexSHA256    string `json:"indexSha256"`
	Publisher      string `json:"publisher"`
	SignatureValid bool   `json:"signatureValid"`

	Health       healthDescription `json:"health"`
	VersionFloor string            `json:"versionFloor"`
}

func side(found *nxs.Inspection) diffSide {
	x := found.Index
	return diffSide{x.SystemVersion, found.Digest.String(), x.Publisher.String(), found.SignatureValid,
		describeHealth(x.Health), x.VersionFloor}
}

// change describes one bundle. The old values are empty if it was added, the new ones if it was removed.
type change struct {
	Name            string `json:"name"`
	Change          string `json:"change"` // added, removed, changed or same
	OldVersion      string `json:"oldVersion"`
	NewVersion      string `json:"newVersion"`
	OldSize         int64  `json:"oldPayloadSize"`
	NewSize         int64  `json:"newPayloadSize"`
	ManifestChanged bool   `json:"manifestChanged"`
	PayloadChanged  bool   `json:"payloadChanged"`
	NowOptional     bool   `json:"nowOptional"` // required before, optional now
	NowRequired     bool   `json:"nowRequired"` // optional before, required now
}

// changes returns the bundles of both sets in byte order of their names.
func changes(before, after []nxs.Entry) []change {
	byName := map[string][2]nxs.Entry{}
	for _, e := range before {
		byName[e.Name] = [2]nxs.Entry{e, {}}
	}
	for _, e := range after {
		byName[e.Name] = [2]nxs.Entry{byName[e.Name][0], e}
	}
	all := []change{}
	for name, pair := range byName {
		all = append(all, compare(name, pair[0], pair[1]))
	}
	slices.SortFunc(all, func(a, b change) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func compare(name string, before, after nxs.Entry) change {
	c := change{
		Name:            name,
		Change:          "changed",
		OldVersion:      before.Version,
		NewVersion:      after.Version,
		OldSize:         before.PayloadSize,
		NewSize:         after.PayloadSize,
		ManifestChanged: before.ManifestSHA256 != after.ManifestSHA256,
		PayloadChanged:  before.PayloadSHA256 != after.PayloadSHA256,
	}
	if before.Name != "" && after.Name != "" {
		c.NowOptional = after.Optional && !before.Optional
		c.NowRequired = before.Optional && !after.Optional
	}
	switch {
	case before.Name == "":
		c.Change = "added"
	case after.Name == "":
		c.Change = "removed"
	case reflect.DeepEqual(before, after):
		c.Change = "same"
	}
	return c
}

func (d difference) text(before, after *nxs.Inspection) string {
	var b strings.Builder
	fmt.Fprintf(&b, "old: %s, signature: %s\n", d.Old.SystemVersion, signatureText(before))
	fmt.Fprintf(&b, "new: %s, signature: %s\n", d.New.SystemVersion, signatureText(after))
	if was, is := healthText(before.Index), healthText(after.Index); was != is {
		fmt.Fprintf(&b, "health: %s -> %s\n", was, is)
	}
	if d.Old.VersionFloor != d.New.VersionFloor {
		fmt.Fprintf(&b, "version floor: %s -> %s\n", list([]string{d.Old.VersionFloor}),
			list([]string{d.New.VersionFloor}))
	}
	for _, c := range d.Bundles {
		fmt.Fprintf(&b, "%s\n", c.line())
	}
	return b.String()
}

func (c change) line() string {
	switch c.Change {
	case "added":
		return fmt.Sprintf("+ %s %s, payload of %d bytes", c.Name, c.NewVersion, c.NewSize)
	case "removed":
		return fmt.Sprintf("- %s %s", c.Name, c.OldVersion)
	case "same":
		return fmt.Sprintf("= %s %s", c.Name, c.OldVersion)
	}
	what := []string{fmt.Sprintf("~ %s %s", c.Name, c.OldVersion)}
	if c.NewVersion != c.OldVersion {
		what[0] += " -> " + c.NewVersion
	}
	if c.PayloadChanged {
		what = append(what, fmt.Sprintf("payload %d -> %d bytes", c.OldSize, c.NewSize))
	}
	if c.ManifestChanged {
		what = append(what, "manifest changed")
	}
	switch {
	case c.NowOptional:
		what = append(what, "optional now")
	case c.NowRequired:
		what = append(what, "required now")
	}
	return strings.Join(what, ", ")
}
