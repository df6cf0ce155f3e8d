package nxspack

import (
	"context"
	"fmt"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// inspectVerb shows a set.
type inspectVerb struct {
	File string `arg:"" help:"The set, or a delta."`
}

// Run shows what a set says about itself. If the set's own signature is invalid, the command fails after that, because
// nothing of what it showed can then be trusted.
func (v *inspectVerb) Run(ctx context.Context, c *command) error {
	if isDelta(v.File) {
		return v.runDelta(ctx, c)
	}
	found, size, err := inspect(ctx, v.File)
	if err != nil {
		return cannot("inspect", v.File, err)
	}
	if err := c.answer(describe(found, size), describeText(found, size)); err != nil || found.SignatureValid {
		return err
	}
	c.json = false // the object on stdout already has the result
	return cannot("inspect", v.File, refusal.New(refusal.InvalidSignature, "invalid signature"))
}

// runDelta shows a delta whose signatures are those of the publisher that it names.
func (v *inspectVerb) runDelta(ctx context.Context, c *command) error {
	head, size, err := verifyDelta(ctx, v.File, formatLimits(), ownPublisher,
		func(*nxs.DeltaHead, *nxs.DeltaBundle) error { return nil })
	if err != nil {
		return cannot("inspect", v.File, err)
	}
	d := describeDelta(v.File, size, &head.Head, head.Delta)
	return c.answer(d, fmt.Sprintf(
		"delta to version: %s\nindex sha256: %s\nsignature: valid for %s, not checked against any trust\nsize: %d bytes\n%s",
		d.SystemVersion, d.IndexSHA256, d.Publisher, d.Size, d.lines()))
}

// description is the JSON answer.
type description struct {
	SystemVersion   string              `json:"systemVersion"`
	IndexSHA256     string              `json:"indexSha256"`
	Publisher       string              `json:"publisher"`
	SignatureValid  bool                `json:"signatureValid"` // the publisher that the set names signed it
	TrustChecked    bool                `json:"trustChecked"`   // always false; only verify checks trust
	TimestampUnixMs uint64              `json:"timestampUnixMs"`
	ExpiresUnixMs   uint64              `json:"expiresUnixMs,omitempty"`  // absent if never
	MoreSignatures  int                 `json:"moreSignatures,omitempty"` // beside the publisher's
	RootBytes       int                 `json:"rootBytes,omitempty"`      // of the roots that the set brings
	Size            int64               `json:"size"`
	Health          healthDescription   `json:"health"`
	VersionFloor    string              `json:"versionFloor"` // empty if none
	Bundles         []bundleDescription `json:"bundles"`
}

type bundleDescription struct {
	Name           string   `json:"name"`
	Version        string   `json:"version"`
	Abilities      []string `json:"abilities"`
	Capabilities   []string `json:"capabilities"`
	MinSDK         string   `json:"minSdk"`
	Publisher      string   `json:"publisher"`
	ManifestSHA256 string   `json:"manifestSha256"`
	PayloadSHA256  string   `json:"payloadSha256"`
	PayloadVerity  string   `json:"payloadVerity,omitempty"` // the fs-verity digest; absent in older sets
	PayloadSize    int64    `json:"payloadSize"`
	Optional       bool     `json:"optional"`
	Args           []string `json:"args,omitempty"`
	Environment    []string `json:"environment,omitempty"`
}

func describe(found *nxs.Inspection, size int64) description {
	x := found.Index
	d := description{
		SystemVersion:   x.SystemVersion,
		IndexSHA256:     found.Digest.String(),
		Publisher:       x.Publisher.String(),
		SignatureValid:  found.SignatureValid,
		TimestampUnixMs: x.TimestampUnixMs,
		ExpiresUnixMs:   x.ExpiresUnixMs,
		MoreSignatures:  len(found.More) / trust.SignatureSize,
		RootBytes:       len(found.Roots),
		Size:            size,
		Health:          describeHealth(x.Health),
		VersionFloor:    x.VersionFloor,
	}
	for i, e := range x.Bundles {
		d.Bundles = append(d.Bundles, describeBundle(e, found.Manifests[i]))
	}
	return d
}

func describeBundle(e nxs.Entry, m nxb.Manifest) bundleDescription {
	return bundleDescription{
		Name:           e.Name,
		Version:        e.Version,
		Abilities:      append([]string{}, m.Abilities...),
		Capabilities:   append([]string{}, m.Capabilities...),
		MinSDK:         m.MinSDK,
		Publisher:      fmt.Sprintf("%x", m.Publisher),
		ManifestSHA256: e.ManifestSHA256.String(),
		PayloadSHA256:  e.PayloadSHA256.String(),
		PayloadVerity:  verityText(e),
		PayloadSize:    e.PayloadSize,
		Optional:       e.Optional,
		Args:           m.Args,
		Environment:    m.Environment,
	}
}

// describeText is the answer as text. Texts from the archive are quoted if they could disturb a terminal.
func describeText(found *nxs.Inspection, size int64) string {
	var b strings.Builder
	x := found.Index
	fmt.Fprintf(&b, "version: %s\n", x.SystemVersion)
	fmt.Fprintf(&b, "index sha256: %s\n", found.Digest)
	fmt.Fprintf(&b, "signature: %s\n", signatureText(found))
	fmt.Fprintf(&b, "timestamp: %s\n", made(x))
	if x.ExpiresUnixMs != 0 {
		fmt.Fprintf(&b, "expires: %s\n", timeText(x.ExpiresUnixMs))
	}
	if n := len(found.More) / trust.SignatureSize; n > 0 {
		fmt.Fprintf(&b, "further signatures: %d\n", n)
	}
	if len(found.Roots) > 0 {
		fmt.Fprintf(&b, "roots: %d bytes\n", len(found.Roots))
	}
	fmt.Fprintf(&b, "size: %d bytes\n", size)
	fmt.Fprintf(&b, "health: %s\n", healthText(x))
	if x.VersionFloor != "" {
		fmt.Fprintf(&b, "version floor: %s\n", x.VersionFloor)
	}
	fmt.Fprintf(&b, "bundles: %d\n", len(x.Bundles))
	for i, e := range x.Bundles {
		m := found.Manifests[i]
		fmt.Fprintf(&b, "\n%s %s%s\n", e.Name, e.Version, optionalMark(e))
		fmt.Fprintf(&b, "  abilities: %s\n", list(m.Abilities))
		fmt.Fprintf(&b, "  capabilities: %s\n", list(m.Capabilities))
		if len(m.Args) > 0 {
			fmt.Fprintf(&b, "  args: %q\n", m.Args)
		}
		if len(m.Environment) > 0 {
			fmt.Fprintf(&b, "  environment: %q\n", m.Environment)
		}
		fmt.Fprintf(&b, "  min sdk: %s\n", list([]string{m.MinSDK}))
		fmt.Fprintf(&b, "  publisher: %x\n", m.Publisher)
		fmt.Fprintf(&b, "  manifest sha256: %s\n", e.ManifestSHA256)
		fmt.Fprintf(&b, "  payload sha256: %s\n", e.PayloadSHA256)
		if verity := verityText(e); verity != "" {
			fmt.Fprintf(&b, "  payload verity: %s\n", verity)
		}
		fmt.Fprintf(&b, "  payload size: %d bytes\n", e.PayloadSize)
	}
	return b.String()
}

// verityText returns the fs-verity digest as `fsverity digest --compact` prints it, or nothing if there is none.
func verityText(e nxs.Entry) string {
	if e.PayloadVerity.IsZero() {
		return ""
	}
	return e.PayloadVerity.String()
}

// signatureText describes the signature, and claims no more than was checked.
func signatureText(found *nxs.Inspection) string {
	if !found.SignatureValid {
		return "INVALID"
	}
	return fmt.Sprintf("valid for %s, not checked against any trust", found.Index.Publisher)
}

func list(texts []string) string {
	var shown []string
	for _, text := range texts {
		if text != "" {
			shown = append(shown, show(text))
		}
	}
	if len(shown) == 0 {
		return "none"
	}
	return strings.Join(shown, ", ")
}
