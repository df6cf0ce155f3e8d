package nxs

import "nexus/libupdates/nxb"

// Limits of the format, in bytes where they are sizes.
const (
	MaxIndex      = 1 << 20         // system.nxsindex
	MaxManifest   = nxb.MaxManifest // one manifest.nxb
	MaxBundles    = 256             // bundles in a set
	SignatureSize = 64              // system.sig.ed25519
	MaxPolicy     = 16 << 30        // the most a device's policy may allow for an archive or a payload
)

// Limits are what a device's policy allows, in bytes.
type Limits struct {
	Archive int64 // the whole archive
	Payload int64 // one payload
}

// DefaultLimits returns the limits of a device without a policy of its own.
func DefaultLimits() Limits { return Limits{Archive: 100 << 20, Payload: 50 << 20} }
