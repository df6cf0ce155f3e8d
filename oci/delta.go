package oci

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Bounds of what a registry says of deltas.
const (
	maxPages  = 4  // of their list
	maxDeltas = 16 // of one set that are looked at, in the order of the registry
)

// A Delta is a delta in a registry. Nothing of it is verified but that its manifest is the one that was listed.
type Delta struct {
	Patches map[string]Entry // by bundle name

	client           *Client
	index, signature Entry
}

// Deltas returns the deltas that make the set. After an error, those that were found until then are of use.
func (s *Set) Deltas(ctx context.Context) ([]*Delta, error) {
	var listed []ocispec.Descriptor
	err := s.client.repo.Referrers(ctx, s.manifest, TypeDelta, func(page []ocispec.Descriptor) error {
		if listed = append(listed, page...); len(listed) >= maxDeltas {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, s.client.refused(ctx, err)
	}
	var deltas []*Delta
	for _, desc := range listed[:min(len(listed), maxDeltas)] {
		d, err := s.client.delta(ctx, desc)
		if err != nil {
			return deltas, s.client.refused(ctx, err)
		}
		deltas = append(deltas, d)
	}
	return deltas, nil
}

// errEnough ends a list of which enough is known.
var errEnough = errors.New("enough deltas")

// delta fetches the manifest of a delta.
func (c *Client) delta(ctx context.Context, desc ocispec.Descriptor) (*Delta, error) {
	if _, err := digestOf(desc.Digest); err != nil {
		return nil, notASet("a delta that makes it has no SHA-256")
	}
	raw, err := c.manifest(ctx, desc.Digest.String())
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(TypeDelta, raw)
	if err != nil {
		return nil, err
	}
	if len(entries) < 2 || entries[0].Name != nxs.DeltaName || entries[1].Name != nxs.DeltaSignatureName ||
		entries[1].Size != nxs.SignatureSize {
		return nil, notASet("a delta that makes it does not begin with its index and signature")
	}
	d := &Delta{Patches: map[string]Entry{}, client: c, index: entries[0], signature: entries[1]}
	for _, e := range entries[2:] {
		name, is := strings.CutSuffix(path.Dir(e.Name), nxb.Suffix)
		if !e.patch() || !is || e.Size <= 0 {
			return nil, notASet("a delta that makes it has the layer %.80q", e.Name)
		}
		d.Patches[name] = e
	}
	return d, nil
}

// Head fetches the index of the delta and its signature, and adds their sizes to fetched.
func (d *Delta) Head(ctx context.Context, fetched *int64) (index, signature []byte, err error) {
	if index, err = d.blob(ctx, d.index, fetched).whole(); err == nil {
		signature, err = d.blob(ctx, d.signature, fetched).whole()
	}
	return index, signature, err
}

// Patch reads a patch of the delta from an offset on, and adds what came to fetched. As a payload of an Archive is, it
// is as trustworthy as the registry.
func (d *Delta) Patch(ctx context.Context, patch Entry, from int64, fetched *int64) (io.ReadCloser, error) {
	if from > patch.Size {
		return nil, refusal.New(refusal.SizeMismatch, "size mismatch in %s: the registry has %d bytes, %d are here",
			patch.Name, patch.Size, from)
	}
	b := d.blob(ctx, patch, fetched)
	b.at = from
	return b, nil
}

func (d *Delta) blob(ctx context.Context, e Entry, fetched *int64) *blob {
	return &blob{ctx: ctx, client: d.client, entry: e, fetched: fetched}
}
