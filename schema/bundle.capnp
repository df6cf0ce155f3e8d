@0xa9f054a3f53ba946;
# Published bundles: what `bundlemgrd` serves from the published slot.
#
# Who holds what: `updated` alone holds SlotPublisher; packagefsd, execd, the operator and bundles that ask for it hold
# BundleMgr.
#
# Class: blessed (the operator's program and bundles call BundleMgr). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Bootrecord = import "bootrecord.capnp";
using Keystore = import "keystore.capnp";
$Go.package("bundle");
$Go.import("nexus/capnpgen/bundle");

const maxReadBytes :UInt32 = 1048576;
# The largest piece Blob.read returns.

interface BundleMgr {
  # Read the published bundles. All answers are from one publication, never a mix of two.

  list @0 () -> (publication :Publication);
  # What is published now.

  query @1 (name :Text) -> (bundle :Bundle, found :Bool);
  # The published bundle with that name, or found = false.

  openPayload @2 (name :Text) -> (blob :Blob);
  # The payload of the published bundle with that name. Refused as `unknown-bundle`. The blob stays readable after the
  # next publication.

  openManifest @3 (name :Text) -> (blob :Blob);
  # The raw manifest of the published bundle with that name. Refused as `unknown-bundle`.

  watch @4 (observer :PublicationObserver) -> (subscription :PublicationSubscription);
  # Calls onPublished now if something is published, and after each publication. Dropping the subscription ends it.
}

interface Blob {
  # Bytes of one file of a slot, held open: a later publication does not change them.

  read @0 (offset :UInt64, count :UInt32) -> (bytes :Data);
  # At most `count` bytes (and at most maxReadBytes) from `offset`; empty at the end.

  size @1 () -> (bytes :UInt64, sha256 :Data);
  # The size in bytes, and as `sha256` the 32-byte SHA-256 that the signed index gives for it. Whoever runs the bytes
  # checks them against it.
}

interface PublicationObserver {
  # Learns of publications.

  onPublished @0 (publication :Publication) -> ();
  # Something else is published now.
}

interface PublicationSubscription {
  # Holding it keeps the watch alive; dropping it ends it.
}

struct Publication {
  # What is published.

  slot @0 :Bootrecord.Slot;
  # The slot; none if nothing is published yet.
  indexSha256 @1 :Data;
  # 32 bytes, the set; empty for an empty slot.
  systemVersion @2 :Text;
  # Version of the set; empty for an empty slot.
  boot @3 :UInt64;
  # The boot attempt it was published for. Two publications with equal slot, set and boot are the same one.
  bundles @4 :List(Bundle);
  # In byte order of their names, at most 256.
  quorum @5 :UInt16;
  # How many of the optional services must be healthy; at most their number.
}

struct Bundle {
  # One published bundle.

  name @0 :Text;
  # Bundle name.
  version @1 :Text;
  # SemVer.
  abilities @2 :List(Text);
  # What it runs as.
  capabilities @3 :List(Text);
  # Names it asks for.
  payloadSha256 @4 :Data;
  # 32 bytes.
  payloadSize @5 :UInt64;
  # Bytes.
  manifestSha256 @6 :Data;
  # 32 bytes.
  manifestSize @7 :UInt64;
  # Bytes.
  optional @8 :Bool;
  # Whether its service counts for the quorum only; else it is required.
}

interface SlotPublisher {
  # The right to say which slot is published.
  #
  # Class: lockstep (only updated holds it).

  setActiveSlot @0 (slot :Bootrecord.Slot, indexSha256 :Data, boot :UInt64) -> (refusal :Keystore.Refusal);
  # Publishes the slot if it holds exactly the set with the digest `indexSha256` (empty: an empty slot), for the boot
  # attempt `boot`, then prints `bundlemgrd: slot <a|b> active`. Refused as `slot-mismatch`, `digest-mismatch`,
  # `wrong-architecture` or `io`: then the earlier publication stands.

  check @1 (slot :Bootrecord.Slot, indexSha256 :Data) -> (refusal :Keystore.Refusal);
  # Whether setActiveSlot would be accepted for that slot and `indexSha256`, without publishing. No effect.
}
