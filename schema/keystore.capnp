@0xd67bbfce29d7eaab;
# Signatures and trust: what `keystored` serves. It has public keys and a root document (trust.capnp), and cannot sign.
#
# Holders: `updated` and `initd` hold a Verifier for the role system; `updated` alone holds SetAdmission, and the same
# two for the role apps as AppVerifier and AppAdmission; the operator holds TrustAnchors; `initd` alone holds
# TrustReload.
#
# Class: blessed (the operator's program reads anchors and refusals). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("keystore");
$Go.import("nexus/capnpgen/keystore");

const maxMessageBytes :UInt32 = 1048576;
# The maximum size of a message for Verifier, in bytes: the limit of a set's index.

interface Verifier {
  # Verify signatures for one role, which was fixed when the capability was granted.
  #
  # Class: lockstep (only updated and initd hold it).

  verify @0 (message :Data, signature :Data) -> (publisher :Data, refusal :Refusal);
  # Checks that a key trusted for the role made this signature over these raw bytes. `signature` has 64 bytes, and behind
  # them up to 64 further signatures, each with its key before it: 96 bytes, in strictly ascending order of the keys. On
  # success `publisher` is the 32-byte key of the first one and `refusal` has no reason; otherwise `publisher` is empty.
  # Under a root, what was admitted under an earlier one passes too, less what is revoked since. The message is treated
  # as opaque bytes. No effect.
}

interface SetAdmission {
  # Decide what may be installed anew, and learn of roots that come with sets.
  #
  # Class: lockstep (only updated holds it).

  admit @0 (message :Data, signature :Data) -> (refusal :Refusal);
  # Whether the set with the index `message` and the signatures `signature`, both as for Verifier, may be installed by
  # the present root: its thresholds, names, limits of time and minimum versions. The time in an admitted set counts as
  # seen from then on, durably. Without a root everything is admitted that Verifier accepts.

  takeRoots @1 (roots :Data, installed :List(Installed)) -> (refusal :Refusal);
  # Goes on to the last of these roots, at most 1 MiB, durably. Nothing is changed if any of them is refused, if none is
  # newer, if there is no root to begin with, or, as `locks-out`, if a needed set of `installed` could not run any more.
}

interface TrustAnchors {
  # Read the trusted keys.

  list @0 () -> (anchors :List(Anchor));
  # All anchors, sorted by role, then key.

  root @1 () -> (root :Data, seenUnixMs :UInt64, earlier :Data);
  # The present root with its signatures, as a file of one root; empty without one. `seenUnixMs` is the largest time that
  # was attested, in milliseconds since 1970-01-01 UTC. `earlier` is a file of the roots before it, oldest first, as far
  # as they are kept; at most 1 MiB with `root`.
}

interface TrustReload {
  # Have keystored read the keys again, or use a root.
  #
  # Class: lockstep (only initd holds it).

  reload @0 () -> (refusal :Refusal);
  # Reads the folder of keys again; every Verifier and TrustAnchors then uses what it holds. `refusal` is null on
  # success, or `bad-key`, with nothing changed, if no key in it is usable for sets.

  update @1 (roots :Data, pin :Data, installed :List(Installed), role :Text, connection :Text,
    attenuation :Text) -> (version :UInt64, refusal :Refusal, stopped :List(Text));
  # Goes on to the last of these roots, at most 1 MiB, durably; `version` is the version from then on. Without a root so
  # far, it begins with the one whose document has the digest `pin`, 32 bytes; otherwise `pin` is ignored. Nothing is
  # changed if any of the roots is refused, or, as `locks-out`, if a needed set of `installed` could not run any more.
  # `stopped`: the versions of the other ones that cannot, at most 2. `role`, `connection` and `attenuation` say for the
  # audit log which operator asked.
}

struct Installed {
  # A set that a slot holds. Whoever says so is not believed: only one that may run until now counts.
  #
  # Class: lockstep.

  index @0 :Data;
  # The raw index, at most 1 MiB.
  signature @1 :Data;
  # Its signatures, as for Verifier.
  needed @2 :Bool;
  # Whether it runs, or the trial under way would go back to it.
}

struct Anchor {
  # One trusted key.

  role @0 :Text;
  # `system` or `apps`; under a root also `root` or `channel`.
  publicKey @1 :Data;
  # 32 bytes, Ed25519.
}

struct Refusal {
  # Why something was refused; an empty reason means that it was not refused.

  reason @0 :Text;
  # Stable code in kebab-case, such as `invalid-signature`. docs/refusals.md lists all.
  detail @1 :Text;
  # One line for people.
}
