@0xb7d3f04c5a1e92d6;
# The index of a delta, `system.nxdelta`: how the payloads of a system set are made from those that a device has.
#
# Class: blessed. May only grow. Readers keep and ignore unknown fields, and refuse any schemaVersion other than 1.
#
# Encoding: one message in standard stream framing, at most 1 MiB, as for the index of a set. The signature is over the
# text `nexus delta 1`, a zero byte, and these raw bytes, so that no signature of a set is one of a delta. Nothing in
# this index is interpreted before the signatures of both indexes have been verified.

using Go = import "/go.capnp";
$Go.package("delta");
$Go.import("nexus/capnpgen/delta");

struct DeltaIndex {
  # The root of `system.nxdelta`.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1.

  indexSha256 @1 :Data;
  # 32 bytes: SHA-256 of the raw index of the set that the delta makes. It must be the one in the same archive.

  payloads @2 :List(DeltaPayload);
  # How each payload is made, one for each bundle of the set's index, in the same order.
}

struct DeltaPayload {
  # How one payload is made.

  way @0 :Way;
  # From what. A reader that does not know it refuses the delta.

  baseSha256 @1 :Data;
  # With a patch, 32 bytes: SHA-256 of the payload that it changes. Otherwise empty.

  baseSize @2 :UInt64;
  # With a patch: the size of that payload, in bytes.

  patchSize @3 :UInt64;
  # With a patch: its size, in bytes, less than that of the payload that it makes.

  blockSize @4 :UInt64;
  # With a patch: the size of its first block, in bytes. Each block names the size and the digest of the next.

  blockSha256 @5 :Data;
  # With a patch, 32 bytes: SHA-256 of its first block. Otherwise empty.
}

enum Way {
  # Where the bytes of a payload come from.

  unknown @0;
  # Not said. The delta is refused.

  whole @1;
  # The delta holds all of them.

  held @2;
  # The device has this very payload, by its digest.

  patch @3;
  # A patch makes them from a payload that the device has, or from nothing if baseSize is 0.
}
