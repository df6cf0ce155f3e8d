// Package trust is keys and signatures: public keys, the set of keys a device trusts for a role, and signers. All
// signatures are Ed25519 (RFC 8032) over raw bytes. It parses keys and nothing else; messages are opaque to it.
package trust
