package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// request asks for a blob, or for a range of it. The response has one of the wanted statuses.
func (c *Client) request(ctx context.Context, e Entry, span string, wanted ...int) (*http.Response, error) {
	ctx = c.scoped(ctx, auth.ActionPull)
	scheme := "https"
	if c.repo.PlainHTTP {
		scheme = "http"
	}
	address := fmt.Sprintf("%s://%s/v2/%s/blobs/%s", scheme, c.ref.name.Host(), c.ref.name.Repository,
		digestText(e.Digest))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if span != "" {
		req.Header.Set("Range", span)
	}
	resp, err := c.repo.Client.Do(req)
	if err != nil {
		return nil, err
	}
	for _, status := range wanted {
		if resp.StatusCode == status {
			return resp, nil
		}
	}
	resp.Body.Close()
	if resp.StatusCode < http.StatusBadRequest {
		return nil, refusal.New(refusal.BadRegistry, "it answered %d to a request for %s", resp.StatusCode, e.Name)
	}
	return nil, &errcode.ErrorResponse{Method: req.Method, URL: req.URL, StatusCode: resp.StatusCode}
}

// has reports whether the registry has a blob. It looks at the first byte: some registries answer HEAD from a cache
// that does not know what they have thrown away.
func (c *Client) has(ctx context.Context, e Entry) (bool, error) {
	span := "bytes=0-0"
	if e.Size == 0 {
		span = ""
	}
	resp, err := c.request(ctx, e, span, http.StatusOK, http.StatusPartialContent)
	var status *errcode.ErrorResponse
	if errors.As(err, &status) && status.StatusCode == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var one [1]byte
	n, _ := io.ReadFull(resp.Body, one[:])
	return n == 1 || e.Size == 0, nil
}

// A blob reads a blob from the registry. When the transfer breaks, it goes on where it was.
type blob struct {
	ctx    context.Context
	client *Client
	entry  Entry
	at     int64
	from   io.ReadCloser // nil: not connected
	broken int           // how often the transfer broke without getting ahead
	ahead  int64         // bytes since it broke

	fetched *int64 // counts the bytes
}

// Read implements io.Reader. It ends after exactly the bytes of the entry, of which it checks only the number.
func (b *blob) Read(p []byte) (int, error) {
	for {
		n, err := b.read(p)
		b.at += int64(n)
		*b.fetched += int64(n)
		if b.ahead += int64(n); b.ahead >= leastProgress {
			b.broken = 0
		}
		if n > 0 || err == nil || err == io.EOF {
			return n, err
		}
		b.Close()
		b.ahead = 0
		if b.broken++; !broken(err) || b.broken > b.client.pace.Retries {
			return 0, b.client.refused(b.ctx, err)
		}
		if err := b.client.pace.sleep(b.ctx, b.broken-1); err != nil {
			return 0, err
		}
	}
}

func (b *blob) read(p []byte) (int, error) {
	if b.from == nil {
		if err := b.open(); err != nil {
			return 0, err
		}
	}
	left := b.entry.Size - b.at
	if left == 0 {
		return 0, b.end()
	}
	n, err := b.from.Read(p[:min(int64(len(p)), left)])
	switch {
	case n > 0:
		return n, nil // what ended the transfer comes again, alone
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// end checks that nothing follows the blob.
func (b *blob) end() error {
	var one [1]byte
	if n, _ := io.ReadFull(b.from, one[:]); n > 0 {
		return refusal.New(refusal.BadRegistry, "it sends more of %s than its %d bytes", b.entry.Name, b.entry.Size)
	}
	return io.EOF
}

// open asks for what is missing.
func (b *blob) open() error {
	span, wanted := "", []int{http.StatusOK}
	if b.at > 0 {
		span = fmt.Sprintf("bytes=%d-", b.at)
		wanted = append(wanted, http.StatusPartialContent)
	}
	resp, err := b.client.request(b.ctx, b.entry, span, wanted...)
	if err != nil {
		b.broken = b.client.pace.Retries // the transport has repeated the request as often as it may
		return err
	}
	b.from = resp.Body
	whole := resp.StatusCode == http.StatusOK
	size := b.entry.Size
	if !whole {
		size -= b.at
		want := fmt.Sprintf("bytes %d-%d/%d", b.at, b.entry.Size-1, b.entry.Size)
		if got := resp.Header.Get("Content-Range"); got != want {
			return refusal.New(refusal.BadRegistry, "it sends the range %.40q of %s, not %q", got, b.entry.Name, want)
		}
	}
	if resp.ContentLength >= 0 && resp.ContentLength != size {
		return refusal.New(refusal.BadRegistry, "it sends %d bytes of %s, not %d", resp.ContentLength, b.entry.Name,
			size)
	}
	if whole { // it does not know ranges
		_, err = io.CopyN(io.Discard, b.from, b.at)
	}
	return err
}

// whole reads all of a small blob, and checks its digest.
func (b *blob) whole() ([]byte, error) {
	defer b.Close()
	raw, err := io.ReadAll(b)
	if err == nil && nxs.Sum(raw) != b.entry.Digest {
		err = refusal.New(refusal.DigestMismatch, "digest mismatch in %s", b.entry.Name)
	}
	return raw, err
}

// Close ends the transfer.
func (b *blob) Close() error {
	if b.from == nil {
		return nil
	}
	from := b.from
	b.from = nil
	return from.Close()
}
