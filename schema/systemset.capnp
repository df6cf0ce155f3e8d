@0xd8b8c2a7f2cc1a50;
# The index of a system set, `system.nxsindex`: the signed value that determines everything in an `.nxs` archive.
#
# Class: blessed. May only grow. Readers keep and ignore unknown fields, and refuse any schemaVersion other than 1.
#
# Encoding: one message in standard stream framing, at most 1 MiB. Writers produce one segment in canonical form;
# readers accept any valid encoding. The signature is over these raw bytes as they are in the archive, never over a
# re-encoding. Nothing in the index is interpreted before the signature has been verified.

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
  # 32 bytes: the Ed25519 public key that signed this index. It must be the key with which the signature was verified.

  timestampUnixMs @3 :UInt64;
  # When the set was made, in milliseconds since 1970-01-01 UTC; 0 if not set.

  bundles @4 :List(BundleEntry);
  # The bundles, in strictly ascending byte order of their names. 1 to 256 entries.

  health @5 :HealthPolicy;
  # The publisher's health policy for trials of this set. Null in sets made before this field existed: every service is
  # required then, and only the device's own policy applies.

  versionFloor @6 :Text;
  # Once this set is committed and no longer under watch, sets with an older version are refused, by the precedence of
  # SemVer 2.0.0. At most systemVersion; empty: no floor. The device's policy may ignore it, or require more.

  expiresUnixMs @7 :UInt64;
  # Until when the set may be installed, in milliseconds since 1970-01-01 UTC, after timestampUnixMs; 0: no limit. It
  # holds on devices that have a root (trust.capnp). A set that is installed already runs on.
}

struct HealthPolicy {
  # When a trial of the set ends, and how. The stricter of this and the device's policy applies.

  deadlineMs @0 :UInt32;
  # Time limit for the verdict on an attempt, in milliseconds, 1,000 to 3,600,000; 0: use the device's. The shorter of
  # the set's and the device's applies.

  watchMs @1 :UInt32;
  # How long the set is under watch after the commit, in milliseconds, at most 3,600,000; 0: use the device's. The
  # longer of the set's and the device's applies.

  quorum @2 :UInt16;
  # How many of the optional services must be healthy, in addition to all required ones. At most the number of optional
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
  # Whether a commit does not need this bundle's service, which then counts only towards the quorum. False: it is
  # required.

  powers @6 :List(Text);
  # The powers that the bundle asks for: those `capabilities` of its manifest that have a colon, in the same order. The
  # device decides on the powers of the whole set by them before it reads a manifest. Bounds as in the manifest.

  payloadVerity @7 :Data;
  # 32 bytes: the fs-verity digest of `payload.elf` (SHA-256, blocks of 4 KiB, no salt), of the same bytes as
  # payloadSha256; empty in sets made before this field existed. A reader that knows it may go by it alone; one that
  # checks both refuses a payload unless both are its own.
}
