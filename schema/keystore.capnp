@0xd67bbfce29d7eaab;
# Signatures and trust: what `keystored` serves. It holds public keys only; there is no method that signs.
#
# Who holds what: `updated` holds a Verifier for the role system; the operator holds TrustAnchors.
#
# Class: blessed (the operator's program reads anchors and refusals). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("keystore");
$Go.import("nexus/capnpgen/keystore");

const maxMessageBytes :UInt32 = 1048576;
# The largest message Verifier accepts: the limit of a set's index.

interface Verifier {
  # Verify signatures under one role, fixed when the capability was granted.
  #
  # Class: lockstep (only updated holds it).

  verify @0 (message :Data, signature :Data) -> (publisher :Data, refusal :Refusal);
  # Whether a key trusted for the role made this signature over these raw bytes. On success `publisher` is that 32-byte
  # key and `refusal` has no reason; else `publisher` is empty. Reads the message as opaque bytes. No effect.
}

interface TrustAnchors {
  # Read the trusted keys.

  list @0 () -> (anchors :List(Anchor));
  # All anchors, by role, then key.
}

struct Anchor {
  # One trusted key.

  role @0 :Text;
  # `system` or `apps`.
  publicKey @1 :Data;
  # 32 bytes, Ed25519.
}

struct Refusal {
  # Why something was refused; an empty reason means that it was not.

  reason @0 :Text;
  # Stable code in kebab-case, e.g. `invalid-signature`; docs/refusals.md lists all.
  detail @1 :Text;
  # One line for people.
}
