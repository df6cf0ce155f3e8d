// Package patchd is the daemon that applies the patches of deltas (schema/patch.capnp). A patch makes its reader search
// programs and decompress; this is the process where that is done, because it has nothing to lose: it reads what
// updated hands it and gives bytes back, which updated verifies by their signed digest.
package patchd
