@0xb3c1f06d2a9e7458;
# Durable state: what `statefsd` serves. It stores values under keys, in isolated prefixes. It exists only if the system
# has a state folder.
#
# Holders: `updated` holds the prefix `boot`, `logd` the prefix `journal`. No other prefix is granted yet, and no one
# holds more than one.
#
# Class: lockstep (both ends are the same binary). The format on disk is in libupdates/statefs. One call or answer is at
# most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Keystore = import "keystore.capnp";
$Go.package("statefs");
$Go.import("nexus/capnpgen/statefs");

const maxKeyBytes :UInt32 = 128;
# The maximum length of a key, in bytes.

const maxValueBytes :UInt32 = 131072;
# The maximum size of a value, in bytes.

const maxPageEntries :UInt32 = 256;
# The maximum number of entries in an answer of list().

interface StateReader {
  # The keys of one prefix, which was fixed when the capability was granted. It gives no access to other prefixes.
  #
  # A key is 1 to maxKeyBytes bytes: parts of `[a-z0-9._-]`, separated by slashes, each of which begins and ends with a
  # letter or digit. All methods refuse other keys as `bad-state-key`.

  get @0 (key :Text) -> (value :Data, refusal :Keystore.Refusal);
  # The value under the key, after checking its checksum. Refused as `no-such-key`, or as `state-damaged` if the stored
  # value is not what was put; other keys are not affected. No effect.

  list @1 (prefix :Text, after :Text, limit :UInt32) -> (entries :List(Entry), more :Bool, refusal :Keystore.Refusal);
  # The keys that begin with `prefix` (any text of the alphabet of keys; empty: all) and come after the key `after`
  # (empty: from the first), in byte order. At most `limit` keys, and at most maxPageEntries; a limit of 0 means
  # maxPageEntries. `more`: whether further keys follow, or not. No effect.
}

interface StateFs extends(StateReader) {
  # The power to change the keys of that prefix as well.

  put @0 (key :Text, value :Data) -> (refusal :Keystore.Refusal);
  # Sets the value in one step. After a power cut the key has the complete old or new value; once sync() has returned,
  # it has the new one. Repeating the call has no further effect. Refused, without changing the old value, as
  # `value-too-large`, as `quota-exceeded` over the prefix's quota, or as `no-space` on a full disk.

  delete @1 (key :Text) -> (refusal :Keystore.Refusal);
  # Removes the key, even if its value is damaged; sync() makes that durable. Refused as `no-such-key`, so repeating the
  # call may be refused.

  sync @2 () -> (refusal :Keystore.Refusal);
  # Makes all earlier puts and deletes in this prefix durable. Repeating the call has no further effect.
}

struct Entry {
  # One key.
  #
  # Class: lockstep.

  key @0 :Text;
  # The key.
  sizeBytes @1 :UInt64;
  # Size of its value in bytes, as far as known without reading it.
}
