@0xd67bbfce29d7eaab;
# Signatures and trust: what `keystored` serves. It has public keys only and cannot sign.
#
# Holders: `updated` and `initd` hold a Verifier for the role system; the operator holds TrustAnchors; `initd` alone
# holds TrustReload.
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
  # Class: lockstep (only updated holds it).

  verify @0 (message :Data, signature :Data) -> (publisher :Data, refusal :Refusal);
  # Checks that a key trusted for the role made this signature over these raw bytes. On success `publisher` is that
  # 32-byte key and `refusal` has no reason; otherwise `publisher` is empty. The message is treated as opaque bytes. No
  # effect.
}

interface TrustAnchors {
  # Read the trusted keys.

  list @0 () -> (anchors :List(Anchor));
  # All anchors, sorted by role, then key.
}

interface TrustReload {
  # Have keystored read the keys again.
  #
  # Class: lockstep (only initd holds it).

  reload @0 () -> (refusal :Refusal);
  # Reads the folder of keys again; every Verifier and TrustAnchors then uses what it holds. `refusal` is null on
  # success, or `bad-key`, with nothing changed, if no key in it is usable for sets.
}

struct Anchor {
  # One trusted key.

  role @0 :Text;
  # `system` or `apps`.
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
