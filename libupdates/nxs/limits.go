package nxs

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxb"
	"nexus/libupdates/trust"
)

// Limits of the format. Sizes are in bytes.
const (
	MaxIndex      = 1 << 20         // system.nxsindex
	MaxManifest   = nxb.MaxManifest // one manifest.nxb
	MaxBundles    = 256             // bundles in a set
	SignatureSize = 64              // system.sig.ed25519
	// of all signatures of an index, as a VerifyFunc takes them
	MaxProof  = SignatureSize + trust.MaxSignatures*trust.SignatureSize
	MaxPolicy = 16 << 30 // the highest limit that a device's policy may set for an archive or a payload
)

// Limits are the limits of a device's policy, in bytes.
type Limits struct {
	Archive int64 // the whole archive
	Payload int64 // one payload
}

// DefaultLimits returns the limits of a device that has no policy of its own.
func DefaultLimits() Limits { return Limits{Archive: 100 << 20, Payload: 50 << 20} }

// A Size is a number of bytes as people write it: `2GiB`, `500MB`, `1048576`.
type Size int64

// UnmarshalText parses a size from 1 byte to 16 GiB, the bounds of a device's policy.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fmt.Errorf("cannot use size %q: want a number with a unit, such as 2GiB", text)
	}
	if n < 1 || n > MaxPolicy {
		return fmt.Errorf("cannot use size %q: want 1 byte to 16 GiB", text)
	}
	*s = Size(n)
	return nil
}
