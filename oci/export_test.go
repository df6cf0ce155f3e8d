package oci

import (
	"context"
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
