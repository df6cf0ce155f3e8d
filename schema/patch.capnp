@0xe0a5c4c18c0f6d37;
# Patches: what `patchd` serves. It applies a patch of a delta to bytes that its caller hands it, and hands the result
# back. It holds no file, no key and no slot: whatever a patch made it do, it could only give wrong bytes, which the
# caller verifies by their signed digest.
#
# Holders: only `updated` holds Patcher.
#
# Class: lockstep. One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Keystore = import "keystore.capnp";
$Go.package("patch");
$Go.import("nexus/capnpgen/patch");

const maxPieceBytes :UInt32 = 1048576;
# The maximum size of a piece for all methods of PatchSource and PatchTarget, in bytes.

interface Patcher {
  # Apply patches.

  apply @0 (head :PatchHead, source :PatchSource, target :PatchTarget) -> (refusal :Keystore.Refusal);
  # Applies one patch from `source` to `target`, verifying each block of it before it is interpreted. Refused as `truncated`, `trailing-data`,
  # `digest-mismatch`, `bad-schema-version`, `size-mismatch` or `bad-patch`; part of the result may have been written by
  # then. Refused as `io` if a method of `source` or `target` fails. One call is served at a time, others wait.
}

struct PatchHead {
  # What a signed index says about a patch (DeltaPayload in delta.capnp).

  oldSize @0 :UInt64;
  # Size of the old payload, in bytes.
  newSize @1 :UInt64;
  # Size of the new payload, in bytes.
  blockSize @2 :UInt64;
  # Size of the first block of the patch, in bytes.
  blockSha256 @3 :Data;
  # 32 bytes: SHA-256 of that block.
  from @4 :UInt64;
  # Where in the new payload to begin writing, in bytes; at its end, the patch is only checked.
}

interface PatchSource {
  # What the result of one patch is made of.

  readOld @0 (offset :UInt64, count :UInt32) -> (bytes :Data);
  # Bytes of the old payload from `offset`: `count`, or all up to its end.

  readPatch @1 (count :UInt32) -> (bytes :Data);
  # The next bytes of the patch, at most `count`; empty at its end.
}

interface PatchTarget {
  # Where the result of one patch goes.

  write @0 (bytes :Data) -> ();
  # The next bytes of the new payload.
}
