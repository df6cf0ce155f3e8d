package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	godigest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Source is an entry to push. Its content must not change.
type Source struct {
	Entry
	Content io.ReaderAt
}

// A Pushed says what a push did.
type Pushed struct {
	Digest nxs.Digest // of the manifest
	Blobs  int        // blobs of the set
	Sent   int        // blobs that the registry did not have
	Bytes  int64      // of those
}

// Push pushes a set: the blobs that the registry lacks, then the manifest under the tag of the reference. Then it looks
// whether the registry has what it took.
func (c *Client) Push(ctx context.Context, index nxs.Index, digest nxs.Digest, sources []Source) (*Pushed, error) {
	if c.ref.byDigest() {
		return nil, refusal.New(refusal.BadReference, "a set is pushed to a tag, not to a digest")
	}
	var entries []Entry
	for _, s := range sources {
		entries = append(entries, s.Entry)
	}
	raw, err := manifestOf(index, digest, entries)
	if err != nil {
		return nil, err
	}
	done := &Pushed{Digest: nxs.Sum(raw)}
	return done, c.refused(ctx, c.push(c.scoped(ctx, auth.ActionPull, auth.ActionPush), raw, sources, done))
}

func (c *Client) push(ctx context.Context, manifest []byte, sources []Source, done *Pushed) error {
	config := Source{Entry{"the config", int64(len(emptyConfig)), nxs.Sum([]byte(emptyConfig))},
		strings.NewReader(emptyConfig)}
	seen := map[nxs.Digest]bool{}
	var sent []Entry
	for _, s := range append([]Source{config}, sources...) {
		if seen[s.Digest] {
			continue
		}
		seen[s.Digest] = true
		done.Blobs++
		has, err := c.has(ctx, s.Entry)
		if err == nil && !has {
			sent = append(sent, s.Entry)
			err = c.pushBlob(ctx, s)
		}
		if err != nil {
			return err
		}
	}
	if err := c.pushManifest(ctx, manifest); err != nil {
		return err
	}
	return c.confirm(ctx, sent, done)
}

// confirm looks whether the registry has what was sent.
func (c *Client) confirm(ctx context.Context, sent []Entry, done *Pushed) error {
	for _, e := range sent {
		has, err := c.has(ctx, e)
		if err == nil && !has {
			err = refusal.New(refusal.BadRegistry, "it took %s, but does not have it", e.Name)
		}
		if err != nil {
			return err
		}
		done.Sent++
		done.Bytes += e.Size
	}
	return nil
}

// pushBlob pushes a blob. When the transfer breaks it begins again, because registries forget what they have of it.
func (c *Client) pushBlob(ctx context.Context, s Source) error {
	for n := 0; ; n++ {
		err := c.repo.Blobs().Push(ctx, s.descriptor(), io.NewSectionReader(s.Content, 0, s.Size))
		if err == nil || !again(err) || n == c.pace.Retries {
			return err
		}
		if err := c.pace.sleep(ctx, n); err != nil {
			return err
		}
	}
}

// again reports whether the push of a blob may succeed when it is repeated.
func again(err error) bool {
	var status *errcode.ErrorResponse
	if errors.As(err, &status) {
		return refusal.Of(answered("", status)) == refusal.RegistryUnavailable
	}
	return broken(err)
}

// pushManifest pushes the manifest, unless it is there: some registries refuse a tag that they have.
func (c *Client) pushManifest(ctx context.Context, raw []byte) error {
	there, err := c.manifest(ctx)
	if err == nil && bytes.Equal(there, raw) {
		return nil
	}
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: godigest.FromBytes(raw),
		Size: int64(len(raw))}
	return c.repo.Manifests().PushReference(ctx, desc, bytes.NewReader(raw), c.ref.name.Reference)
}
