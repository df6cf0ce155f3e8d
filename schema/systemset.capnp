@0xd8b8c2a7f2cc1a50;
# The index of a system set, `system.nxsindex`: the one signed value from which everything in an `.nxs` archive follows.
#
# Class: blessed. May only grow; readers keep and ignore what they do not know, and refuse any schemaVersion but 1.
#
# Encoding: one message in standard stream framing, at most 1 MiB. We write one segment in canonical form; any valid
# encoding is accepted on reading. The signature beside it is over these raw bytes as they stand in the archive, never
# over a re-encoding, and nothing of the index is interpreted before that signature has passed.

using Go = import "/go.capnp";
$Go.package("systemset");
$Go.import("nexus/capnpgen/systemset");

struct SystemSetIndex {
  # The root of `system.nxsindex`.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1.

  systemVersion @1 :Text;
  # Version of the whole set, SemVer 2.0.0, at most 64 characters.

  publisher @2 :Data;
  # 32 bytes: the Ed25519 public key that signed this index. Must be the key under which the signature passed.

  timestampUnixMs @3 :UInt64;
  # When the set was made, milliseconds since 1970-01-01 UTC; 0 where the maker gave none.

  bundles @4 :List(BundleEntry);
  # The bundles in strictly ascending byte order of their names. 1 to 256 entries.

  health @5 :HealthPolicy;
  # What the publisher asks of a trial of this set. Absent in sets made before this field: then every service is
  # required, and the device's own policy is all there is.

  versionFloor @6 :Text;
  # Once this set has proven itself for good, no set of an older version is accepted any more, by the precedence of
  # SemVer 2.0.0. At most systemVersion; empty: it asks for no floor. The device's policy may ignore it, or ask for
  # more.
}

struct HealthPolicy {
  # When a trial of the set is over, and how. It is combined with the policy of the device to the stricter of both.

  deadlineMs @0 :UInt32;
  # How long an attempt may wait for its verdict, milliseconds, 1,000 to 3,600,000; 0 leaves it to the device. The
  # shorter of the set's and the device's holds.

  watchMs @1 :UInt32;
  # How long the set is under watch after the commit, milliseconds, at most 3,600,000; 0 leaves it to the device. The
  # longer of the set's and the device's holds.

  quorum @2 :UInt16;
  # How many of the optional services must be healthy, beside all that are required. At most the number of optional
  # bundles.
}

struct BundleEntry {
  # One bundle of the set, bound by digest.

  name @0 :Text;
  # Bundle name, as in the manifest.

  version @1 :Text;
  # Bundle version, SemVer, as in the manifest.

  manifestSha256 @2 :Data;
  # 32 bytes: SHA-256 of the raw bytes of `manifest.nxb`.

  payloadSha256 @3 :Data;
  # 32 bytes: SHA-256 of the raw bytes of `payload.elf`.

  payloadSize @4 :UInt64;
  # Size of `payload.elf` in bytes.

  optional @5 :Bool;
  # Whether a commit can do without this bundle's service: it then counts for the quorum only. False: it is required.
}
