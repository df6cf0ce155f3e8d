@0xa9f054a3f53ba946;
# Published bundles: what `bundlemgrd` serves from the published slot.
#
# Holders: only `updated` holds SlotPublisher; packagefsd, execd, the operator and bundles that ask for it hold
# BundleMgr.
#
# Class: blessed (the operator's program and bundles call BundleMgr). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Bootrecord = import "bootrecord.capnp";
using Keystore = import "keystore.capnp";
$Go.package("bundle");
$Go.import("nexus/capnpgen/bundle");

const maxReadBytes :UInt32 = 1048576;
# The maximum result of Blob.read, in bytes.

interface BundleMgr {
  # Read the published bundles. Each answer is from a single publication.

  list @0 () -> (publication :Publication);
  # The current publication, with those of apps. All other methods know the bundles of both.

  query @1 (name :Text) -> (bundle :Bundle, found :Bool);
  # The published bundle with that name, or found = false.

  openPayload @2 (name :Text) -> (blob :Blob);
  # The payload of the published bundle with that name. Refused as `unknown-bundle`, and where its file is not what was
  # published as `missing-entry`, `bad-entry-type`, `unreadable-entry` or `size-mismatch`. The blob stays readable after
  # later publications.

  openManifest @3 (name :Text) -> (blob :Blob);
  # The raw manifest of the published bundle with that name. Refused as `unknown-bundle`, `missing-entry`,
  # `bad-entry-type` or `unreadable-entry`.

  watch @4 (observer :PublicationObserver) -> (subscription :PublicationSubscription);
  # Calls onPublished at once if something is published, and after each publication. Dropping the subscription ends it.

  handPayload @5 (name :Text) -> (handed :Bool, sha256 :Data);
  # Hands over the payload of the published bundle with that `name` as an open file, which travels beside the answer.
  # `handed` is false if the connection cannot carry files. `sha256` is the 32-byte SHA-256 of the payload, from the
  # signed index. Refused as `unknown-bundle`, and as openPayload is for the file: `missing-entry`, `bad-entry-type`,
  # `unreadable-entry` or `size-mismatch`. The file may change: whoever runs its bytes must check a copy that cannot.
}

interface Blob {
  # The bytes of one file in a slot. The file is held open, so later publications do not change it.

  read @0 (offset :UInt64, count :UInt32) -> (bytes :Data);
  # At most `count` bytes, and at most maxReadBytes, from `offset`; empty at the end.

  size @1 () -> (bytes :UInt64, sha256 :Data);
  # The size in bytes and, as `sha256`, the 32-byte SHA-256 from the signed index. Callers that run the bytes must check
  # them against it.
}

interface PublicationObserver {
  # Receives notice of publications.

  onPublished @0 (publication :Publication) -> ();
  # There is a new publication.
}

interface PublicationSubscription {
  # Keeps a watch. Dropping it ends the watch.
}

struct Publication {
  # A publication.

  slot @0 :Bootrecord.Slot;
  # The slot; none if nothing has been published yet.
  indexSha256 @1 :Data;
  # 32 bytes: the set; empty for an empty slot.
  systemVersion @2 :Text;
  # Version of the set; empty for an empty slot.
  boot @3 :UInt64;
  # The boot attempt for which it was published. Publications with the same slot, set and boot are identical.
  bundles @4 :List(Bundle);
  # In byte order of their names, at most 256. Together they take at most 2 MiB of a message, those of a package of apps
  # at most 28 KiB, so that a publication with all of `apps` fits into one.
  quorum @5 :UInt16;
  # How many of the optional services must be healthy; at most the number of optional services.
  publisher @6 :Data;
  # 32 bytes: the Ed25519 key that signed the set; empty for an empty slot.
  app @7 :Text;
  # The package of apps that it is of; empty: the system.
  apps @8 :List(Publication);
  # With the publication of the system: those of the packages of apps, in byte order of their names, at most 64. No
  # bundle name occurs twice in all of them.
  complete @9 :Bool;
  # Whether `apps` has all packages. If not, as after a restart of `bundlemgrd`, one that is missing may still run.
}

struct Bundle {
  # One published bundle.

  name @0 :Text;
  # Bundle name.
  version @1 :Text;
  # SemVer.
  abilities @2 :List(Text);
  # Abilities: how the bundle runs.
  capabilities @3 :List(Text);
  # Capabilities that it asks for.
  payloadSha256 @4 :Data;
  # 32 bytes.
  payloadSize @5 :UInt64;
  # Bytes.
  manifestSha256 @6 :Data;
  # 32 bytes.
  manifestSize @7 :UInt64;
  # Bytes.
  optional @8 :Bool;
  # Whether its service counts only towards the quorum; else it is required.
  args @9 :List(Text);
  # Arguments of its program, as in its manifest.
  environment @10 :List(Text);
  # Variables of its program's environment, as in its manifest.
  payloadVerity @11 :Data;
  # 32 bytes: the fs-verity digest of the payload, as in the index; empty if that has none.
}

interface SlotPublisher {
  # The power to publish a slot.
  #
  # Class: lockstep (only updated holds it).

  setActiveSlot @0 (slot :Bootrecord.Slot, indexSha256 :Data, boot :UInt64) -> (refusal :Keystore.Refusal);
  # Publishes the slot for the boot attempt `boot`, if it holds exactly the set with the digest `indexSha256` (empty: an
  # empty slot), and prints `bundlemgrd: slot <a|b> active`. Refused as `slot-mismatch`, `digest-mismatch`,
  # `wrong-architecture`, `manifest-too-large` (see Publication.bundles) or `io`; the previous publication then stays.

  check @1 (slot :Bootrecord.Slot, indexSha256 :Data) -> (refusal :Keystore.Refusal);
  # Checks whether setActiveSlot would accept the set with the digest `indexSha256`, which that slot, or `staged`, holds
  # now. It has no effect.

  app @2 (name :Text) -> (publisher :SlotPublisher);
  # The publisher of the package of apps `name`, from the slots of that package. Its marker is
  # `bundlemgrd: app <name> slot <a|b> active`.

  retainApps @3 (names :List(Text)) -> ();
  # Ends the publications of all packages of apps but `names`, at most 64.
}
