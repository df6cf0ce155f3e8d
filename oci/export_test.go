package oci

import (
	"context"
	"io"
	"net"
)

// For tests from outside.
var (
	ManifestOf = manifestOf
	EntriesOf  = entriesOf
)

// Dial is dial, for tests from outside.
func (l Line) Dial(dialer *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return l.dial(dialer)
}

// Blob reads a blob, for tests from outside.
func (c *Client) Blob(ctx context.Context, e Entry) io.ReadCloser {
	return &blob{ctx: ctx, client: c, entry: e, fetched: new(int64)}
}
