package oci

import (
	"bytes"
	"context"
	"io"

	godigest "github.com/opencontainers/go-digest"
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

	client *Client
	parts  []nxs.Part
}

// Fetch fetches the manifest of a set.
func (c *Client) Fetch(ctx context.Context) (*Set, error) {
	raw, err := c.manifest(ctx)
	if err != nil {
		return nil, c.refused(ctx, err)
	}
	s := &Set{Digest: nxs.Sum(raw), client: c}
	if s.Entries, err = entriesOf(raw); err != nil {
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

// manifest fetches the raw manifest.
func (c *Client) manifest(ctx context.Context) ([]byte, error) {
	desc, body, err := c.repo.FetchReference(ctx, c.ref.name.Reference)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if desc.Size > maxManifest {
		return nil, refusal.New(refusal.NotASet, "its manifest of %d bytes is over the limit of %d", desc.Size,
			int64(maxManifest))
	}
	raw, err := content.ReadAll(body, desc)
	if err == nil && c.ref.byDigest() && godigest.FromBytes(raw).String() != c.ref.name.Reference {
		err = refusal.New(refusal.BadRegistry, "its manifest is not the one that was asked for")
	}
	return raw, err
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

// A HeldFunc returns a payload that need not be fetched, or nil. It is verified like those that are.
type HeldFunc func(nxs.Digest, int64) io.Reader

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
}

// Read implements io.Reader.
func (a *Archive) Read(p []byte) (int, error) {
	for len(a.parts) > 0 {
		if a.part == nil {
			if err := a.begin(a.parts[0]); err != nil {
				return 0, err
			}
		}
		n, err := a.part.Read(p)
		if _, fetched := a.part.(*blob); fetched {
			a.Fetched += int64(n)
		}
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
	from := &blob{ctx: a.ctx, client: a.set.client, entry: e}
	if e.payload() {
		if a.part = from; a.held != nil {
			if held := a.held(e.Digest, e.Size); held != nil {
				a.part = held
			}
		}
		return nil
	}
	defer from.Close()
	raw, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if nxs.Sum(raw) != e.Digest {
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s", e.Name)
	}
	a.Fetched += e.Size
	a.part = bytes.NewReader(raw)
	return nil
}

// Close ends the transfer under way.
func (a *Archive) Close() error {
	part := a.part
	a.part = nil
	if open, ok := part.(io.Closer); ok {
		return open.Close()
	}
	return nil
}
