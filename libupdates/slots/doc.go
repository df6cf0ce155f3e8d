// Package slots owns the contents of the two slots on disk. It stages a set into a slot, empties it, verifies it, and
// opens it for reading. It does not decide which slot runs (package bootctl does), and trusts only bytes that the
// signed index covers.
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
// So a slot changes by renaming one link, a set is complete before it gets its name, and a set in both slots is stored
// once.
package slots
