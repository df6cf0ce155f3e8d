@0xd84b634697e583b6;
# Root documents: who may sign what on a family of devices, and how that changes. A device trusts one root at a time.
#
# Class: blessed. May only grow. Readers keep and ignore unknown fields, and refuse any schemaVersion other than 1.
#
# Encoding: a document is the 16 bytes `nexus-root-doc-1`, followed by one message in standard stream framing; 128 KiB
# in all at most. Writers produce one segment in canonical form; readers accept any valid encoding. Signatures are over
# these raw bytes. The tag keeps a signature of a root from being one of something else: no message begins like that.
# Nothing behind the tag is interpreted before the signatures have been verified with keys that were known before.

using Go = import "/go.capnp";
$Go.package("trust");
$Go.import("nexus/capnpgen/trust");

struct RootDocument {
  # The value that is signed.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1.

  version @1 :UInt64;
  # Version of the root, from 1. Each root is accepted only as the successor of the one before it.

  family @2 :Text;
  # The family of devices that the root is for, in the form of a bundle's name. The same in every root of a chain.

  issuedUnixMs @3 :UInt64;
  # When the root was made, in milliseconds since 1970-01-01 UTC; not 0.

  expiresUnixMs @4 :UInt64;
  # Until when sets may be staged under this root, in milliseconds since 1970-01-01 UTC; 0: no limit. A successor is
  # accepted after that, too.

  keys @5 :List(RootKey);
  # All keys, in strictly ascending order. 1 to 64.

  grants @6 :List(Grant);
  # What the keys may sign, 1 to 64: exactly one grant for the role root, and at least one for the role system.

  revokedKeys @7 :List(Data);
  # Keys that never count again, 32 bytes each, in strictly ascending order, at most 256. A successor keeps them all.

  revokedSets @8 :List(Data);
  # Index digests of sets that may not be staged, and do not run, 32 bytes each, in strictly ascending order, at most
  # 1024.

  minimumVersions @9 :List(MinimumVersion);
  # Versions that a newly staged set must have at least, in strictly ascending order of their names, at most 64.

  resetsTime @10 :Bool;
  # Whether a device forgets the largest signed time that it has seen, and takes that of this root instead: the way out
  # if something was signed with a time far in the future. False: the largest time stays.
}

struct RootKey {
  # One key.

  publicKey @0 :Data;
  # 32 bytes, Ed25519: a point of the curve in canonical form, and not of small order.

  name @1 :Text;
  # For people: who has the key. At most 64 bytes, may be empty.
}

struct Grant {
  # What some of the keys may sign together.

  role @0 :Text;
  # `root` (the next root), `system` (system sets), `apps` (sets of apps) or `channel` (channels).

  threshold @1 :UInt16;
  # How many different keys must sign: 1 to the number of keys.

  keys @2 :List(UInt16);
  # Positions in RootDocument.keys, strictly ascending, at least one. None of these keys is revoked.

  names @3 :List(Text);
  # Names of the bundles or channels that the grant covers, at most 64: a name, or the beginning of one followed by
  # `*`. Empty: every name. Grants of one role may not overlap. Always empty for the role root.

  expiresUnixMs @4 :UInt64;
  # Until when the grant counts for new sets, in milliseconds since 1970-01-01 UTC; 0: no limit. Always 0 for the role
  # root.
}

struct MinimumVersion {
  # The lowest version that may be staged.

  name @0 :Text;
  # A bundle's name; empty: the system set.

  version @1 :Text;
  # SemVer 2.0.0, at most 64 characters.
}
