package oci

import (
	"bytes"
	"context"
	"io"
	"sort"
	"strings"

	godigest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Set is a system set in a registry. Nothing of it is verified but that its manifest is the one that was asked for.
type Set struct {
	Digest  nxs.Digest // of the manifest
	Entries []Entry
	Size    int64 // of the archive

	client   *Client
	manifest ocispec.Descriptor
	parts    []nxs.Part
}

// Fetch fetches the manifest of a set.
func (c *Client) Fetch(ctx context.Context) (*Set, error) {
	raw, err := c.manifest(ctx, c.ref.name.Reference)
	if err != nil {
		return nil, c.refused(ctx, err)
	}
	s := &Set{Digest: nxs.Sum(raw), client: c, manifest: manifestDescriptor(raw)}
	if s.Entries, err = entriesOf(TypeSet, raw); err != nil {
		return nil, err
	}
	var names []string
	var sizes []int64
	for _, e := range s.Entries {
		names, sizes = append(names, e.Name), append(sizes, e.Size)
	}
	s.parts, s.Size, err = nxs.Parts(names, sizes)
	return s, err
}

// manifest fetches the raw manifest that a tag or a digest names.
func (c *Client) manifest(ctx context.Context, reference string) ([]byte, error) {
	desc, body, err := c.repo.FetchReference(ctx, reference)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if desc.Size > maxManifest {
		return nil, refusal.New(refusal.NotASet, "its manifest of %d bytes is over the limit of %d", desc.Size,
			int64(maxManifest))
	}
	raw, err := content.ReadAll(body, desc)
	_, mutable := godigest.Parse(reference)
	if err == nil && mutable == nil && godigest.FromBytes(raw).String() != reference {
		err = refusal.New(refusal.BadRegistry, "its manifest is not the one that was asked for")
	}
	return raw, err
}

// Bundles returns the names of the bundles that the registry says the set has, in byte order.
func (s *Set) Bundles() []string {
	var names []string
	for _, e := range s.Entries {
		if bundle, is := strings.CutSuffix(e.Name, nxb.Suffix+"/"+nxb.ManifestFile); is {
			names = append(names, bundle)
		}
	}
	sort.Strings(names)
	return names
}

// CheckIndex refuses a set whose payloads are not those of its signed index, before any of them is fetched.
func (s *Set) CheckIndex(index nxs.Index) error {
	has := map[string]Entry{}
	for _, e := range s.Entries {
		has[e.Name] = e
	}
	for _, b := range index.Bundles {
		name := b.Name + nxb.Suffix + "/" + nxb.PayloadFile
		e, ok := has[name]
		switch {
		case !ok:
			return refusal.New(refusal.MissingEntry, "%s is missing in the registry", name)
		case e.Size != b.PayloadSize:
			return refusal.New(refusal.SizeMismatch, "size mismatch in %s: the registry has %d bytes, want %d", name,
				e.Size, b.PayloadSize)
		case e.Digest != b.PayloadSHA256:
			return refusal.New(refusal.DigestMismatch, "digest mismatch in %s: the registry has other bytes", name)
		}
	}
	return nil
}

// A HeldFunc says what need not be fetched of a payload of that digest and size: so many bytes of its beginning. They
// are read from the reader, or not at all if that is nil, because whoever reads the archive has them. They are verified
// like those that are fetched.
type HeldFunc func(nxs.Digest, int64) (from io.Reader, size int64, err error)

// Archive reads the archive of the set, front to back. What it yields is as trustworthy as the registry is: a reader of
// package nxs has to verify it. Blobs are fetched when their turn comes, except those that are held.
func (s *Set) Archive(ctx context.Context, held HeldFunc) *Archive {
	return &Archive{ctx: ctx, set: s, parts: s.parts, held: held}
}

// An Archive is an io.ReadCloser of a set's archive.
type Archive struct {
	Fetched int64 // bytes of blobs that came from the registry

	ctx   context.Context
	set   *Set
	held  HeldFunc
	parts []nxs.Part
	part  io.Reader // the content of parts[0]; nil: not begun
	from  *blob     // where part comes from the registry; else nil
	index []byte    // of the set, once it was read
}

// Index returns the index of the set, once it has been read. Nothing of it is verified.
func (a *Archive) Index() []byte { return a.index }

// Read implements io.Reader.
func (a *Archive) Read(p []byte) (int, error) {
	for len(a.parts) > 0 {
		if a.part == nil {
			if err := a.begin(a.parts[0]); err != nil {
				return 0, err
			}
		}
		n, err := a.part.Read(p)
		if err == io.EOF {
			err = a.Close()
			a.parts = a.parts[1:]
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// begin opens a part of the archive.
func (a *Archive) begin(part nxs.Part) error {
	if part.Bytes != nil {
		a.part = bytes.NewReader(part.Bytes)
		return nil
	}
	e := a.set.Entries[part.Entry]
	from := &blob{ctx: a.ctx, client: a.set.client, entry: e, fetched: &a.Fetched}
	if e.payload() {
		return a.beginPayload(e, from)
	}
	raw, err := from.whole()
	if err != nil {
		return err
	}
	if e.Name == nxs.IndexName {
		a.index = raw
	}
	a.part = bytes.NewReader(raw)
	return nil
}

// beginPayload opens a payload after what is held of it.
func (a *Archive) beginPayload(e Entry, from *blob) error {
	a.part, a.from = from, from
	if a.held == nil {
		return nil
	}
	held, size, err := a.held(e.Digest, e.Size)
	switch {
	case err != nil:
		a.part, a.from = nil, nil
		return err
	case size < 0 || size > e.Size:
		return refusal.New(refusal.SizeMismatch, "size mismatch in %s: the registry has %d bytes, %d are here", e.Name,
			e.Size, size)
	case size == 0:
		return nil
	case held == nil:
		held = bytes.NewReader(nil)
	}
	if from.at = size; size == e.Size {
		a.part = held
		return nil
	}
	a.part = io.MultiReader(held, from)
	return nil
}

// Close ends the transfer under way.
func (a *Archive) Close() error {
	from := a.from
	a.part, a.from = nil, nil
	if from == nil {
		return nil
	}
	return from.Close()
}
