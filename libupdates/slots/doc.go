// Package slots owns the contents of the two slots on disk, and the staged set beside them. It stages a set, promotes
// it into a slot, empties a slot, verifies it, and opens it for reading. It does not decide which slot runs (package
// bootctl does), and trusts only bytes that the signed index covers.
//
// Below the root of the system:
//
//	a -> sets/<digest>      a link for each slot; none for an empty slot
//	b -> sets/<digest>
//	staged -> sets/<digest> the set that waits for its switch; none if nothing is staged
//	sets/<digest>/          one complete set, named by the SHA-256 of its index
//	    system.nxsindex
//	    system.sig.ed25519
//	    <name>.nxb/manifest.nxb
//	    <name>.nxb/payload.elf
//	sets/.stage/            a set that is being received
//	sets/.kept/             what came of a set whose fetch was interrupted
//
// So a slot changes by renaming one link, a set is complete before it gets its name, and a set with several links is
// stored once. A switch is the rename of staged to the name of a slot.
package slots
