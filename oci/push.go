package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

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
	Blobs  int        // blobs of the set or delta
	Sent   int        // blobs that the registry did not have
	Bytes  int64      // of those

	manifest ocispec.Descriptor
}

// Push pushes a set: the blobs that the registry lacks, then the manifest under the tag of the reference. Then it looks
// whether the registry has what it took.
func (c *Client) Push(ctx context.Context, index nxs.Index, digest nxs.Digest, sources []Source) (*Pushed, error) {
	if c.ref.byDigest() {
		return nil, refusal.New(refusal.BadReference, "a set is pushed to a tag, not to a digest")
	}
	raw, err := manifestOf(TypeSet, nil, index, digest, entriesIn(sources))
	if err != nil {
		return nil, err
	}
	return c.pushAll(ctx, raw, sources, c.pushTagged)
}

// PushDelta pushes a delta beside the set that it makes, which has been pushed: as what refers to the manifest of the
// set, which stays as it is. A registry of OCI 1.1 lists such manifests itself; of another, the list is under a tag.
func (c *Client) PushDelta(ctx context.Context, set *Pushed, index nxs.Index, digest nxs.Digest,
	sources []Source) (*Pushed, error) {
	raw, err := manifestOf(TypeDelta, &set.manifest, index, digest, entriesIn(sources))
	if err != nil {
		return nil, err
	}
	return c.pushAll(ctx, raw, sources, func(ctx context.Context, raw []byte) error {
		desc := manifestDescriptor(raw)
		return c.repo.Manifests().PushReference(ctx, desc, bytes.NewReader(raw), desc.Digest.String())
	})
}

func entriesIn(sources []Source) (entries []Entry) {
	for _, s := range sources {
		entries = append(entries, s.Entry)
	}
	return entries
}

// pushAll pushes the blobs of a manifest that the registry lacks, and then the manifest by a function.
func (c *Client) pushAll(ctx context.Context, raw []byte, sources []Source,
	manifest func(context.Context, []byte) error) (*Pushed, error) {
	done := &Pushed{Digest: nxs.Sum(raw), manifest: manifestDescriptor(raw)}
	ctx = c.scoped(ctx, auth.ActionPull, auth.ActionPush)
	sent, err := c.pushBlobs(ctx, sources, done)
	if err == nil {
		err = manifest(ctx, raw)
	}
	if err == nil {
		err = c.confirm(ctx, sent, done)
	}
	return done, c.refused(ctx, err)
}

// pushBlobs pushes the blobs that the registry lacks, and returns which these were.
func (c *Client) pushBlobs(ctx context.Context, sources []Source, done *Pushed) ([]Entry, error) {
	config := Source{Entry{Name: "the config", Size: int64(len(emptyConfig)), Digest: nxs.Sum([]byte(emptyConfig))},
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
			return nil, err
		}
	}
	return sent, nil
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

// pushTagged pushes a manifest under the tag, unless it is there: some registries refuse a tag that they have.
func (c *Client) pushTagged(ctx context.Context, raw []byte) error {
	there, err := c.manifest(ctx, c.ref.name.Reference)
	if err == nil && bytes.Equal(there, raw) {
		return nil
	}
	return c.repo.Manifests().PushReference(ctx, manifestDescriptor(raw), bytes.NewReader(raw),
		c.ref.name.Reference)
}
