@0xb3c1f06d2a9e7458;
# Durable state: what `statefsd` serves. Values under keys, in prefixes that know nothing of each other; it exists only
# where the system has a state folder.
#
# Who holds what: `updated` holds the prefix `boot`. No other prefix is granted yet, and nobody holds more than one.
#
# Class: lockstep (both ends are the one binary). What is on the disk is libupdates/statefs. One call or answer is at
# most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Keystore = import "keystore.capnp";
$Go.package("statefs");
$Go.import("nexus/capnpgen/statefs");

const maxKeyBytes :UInt32 = 128;
# The longest key, in bytes.

const maxValueBytes :UInt32 = 131072;
# The largest value, in bytes.

const maxPageEntries :UInt32 = 256;
# The most entries list() answers at once.

interface StateReader {
  # The keys of one prefix, fixed when the capability was granted: of any other it cannot even speak.
  #
  # A key is 1 to maxKeyBytes bytes: one or more parts of `[a-z0-9._-]` with a slash between them, each beginning and
  # ending with a letter or a digit. What breaks that is refused as `bad-state-key`, by each method.

  get @0 (key :Text) -> (value :Data, refusal :Keystore.Refusal);
  # The value under the key, checked against its checksum. Refused as `no-such-key`; as `state-damaged` where what is
  # stored there is not what was put: no other key is harmed. No effect.

  list @1 (prefix :Text, after :Text, limit :UInt32) -> (entries :List(Entry), more :Bool, refusal :Keystore.Refusal);
  # The keys that begin with `prefix` (any text of the alphabet of keys; empty: all) and come after the key `after`
  # (empty: from the first), in byte order: at most `limit`, and at most maxPageEntries; 0 is as many as that. `more`:
  # there are others after the last one. No effect.
}

interface StateFs extends(StateReader) {
  # The power to change the keys of that prefix, too.

  put @0 (key :Text, value :Data) -> (refusal :Keystore.Refusal);
  # Replaces the value in one step: after a cut the key has the old value or the new one, whole, and once sync()
  # returned the new one. A second call has no further effect. Refused, with the old value as it was, as
  # `value-too-large`, `quota-exceeded` over the prefix's quota, `no-space` on a full disk.

  delete @1 (key :Text) -> (refusal :Keystore.Refusal);
  # Removes the key, also a damaged one; sync() makes that durable. Refused as `no-such-key`, so a repeated call may be.

  sync @2 () -> (refusal :Keystore.Refusal);
  # Makes everything durable that was put or deleted in this prefix before. Calling it again has no further effect.
}

struct Entry {
  # One key.
  #
  # Class: lockstep.

  key @0 :Text;
  # The key.
  sizeBytes @1 :UInt64;
  # Size of its value, in bytes, as far as the disk tells without reading it.
}
