// Package trust implements keys and signatures: public keys, the set of keys that a device trusts for a role, and
// signers. All signatures are Ed25519 (RFC 8032) over raw bytes. The package parses keys only; messages are opaque to
// it.
package trust
