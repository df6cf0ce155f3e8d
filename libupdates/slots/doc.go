// Package slots owns what is in the two slots on disk: it stages a set into one, empties one, verifies one, and opens
// one for reading. It never decides which slot runs (package bootctl does) and never trusts a byte that the signed
// index does not cover.
//
// Below the root of the system:
//
//	a -> sets/<digest>      a link for each slot; none for an empty slot
//	b -> sets/<digest>
//	sets/<digest>/          one complete set, named by the SHA-256 of its index
//	    system.nxsindex
//	    system.sig.ed25519
//	    <name>.nxb/manifest.nxb
//	    <name>.nxb/payload.elf
//	sets/.stage/            a set that is being received
//
// So a slot changes by one rename of a link, a set is complete before it has its name, and a set in both slots is
// stored once.
package slots
