@0xaaccfa1760482c3e;
# Log, audit and console: what `logd` serves.
#
# Who holds what: every daemon holds one LogSink whose sender was fixed when the connection was made; the operator holds
# Journal.
#
# Class: blessed (operators and programs read the journal). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("journal");
$Go.import("nexus/capnpgen/journal");

const maxRecordBytes :UInt32 = 4096;
# A record whose message, keys and values together are larger is cut to this size.

enum Level {
  # Severity, ascending.

  unspecified @0;
  # Not said; shown as info.
  trace @1;
  # Single steps, for developers.
  debug @2;
  # Decisions, for developers.
  info @3;
  # What an operator would want to read afterwards.
  warn @4;
  # Something was refused or had to be done again.
  error @5;
  # Something failed that should not.
}

enum Kind {
  # What a record is.

  message @0;
  # A plain log record.
  audit @1;
  # One stage, switch, health, rollback, discard or clear, whether it succeeded or was refused.
  marker @2;
  # A line that was printed on the console exactly as it stands in `message`.
  crash @3;
  # A process ended in a way it should not have.
}

struct Field {
  # One structured value of a record.

  key @0 :Text;
  # Name, e.g. `slot`.
  value @1 :Text;
  # Value as text.
}

struct Entry {
  # What a sender says.

  level @0 :Level;
  # Severity.
  kind @1 :Kind;
  # What it is.
  message @2 :Text;
  # A constant text; what varies is in the fields.
  fields @3 :List(Field);
  # At most 32.
}

struct Record {
  # What the journal keeps.

  sequence @0 :UInt64;
  # Place in the journal, from 1, without gaps; a reader that sees one knows that records were dropped.
  sender @1 :Text;
  # Who said it: a daemon's name or `bundle:<name>`. Fixed by the connection, never by the sender.
  unixMs @2 :Int64;
  # When logd received it, milliseconds since 1970-01-01 UTC.
  entry @3 :Entry;
  # What was said.
}

interface LogSink {
  # The right to add records under one name, and nothing else.
  #
  # Class: lockstep (only daemons hold it).

  write @0 (entries :List(Entry), dropped :UInt64) -> ();
  # Adds up to 256 entries in order. `dropped`: how many the sender itself had to drop since its last call. In memory
  # when it returns, not durable. Errors: overloaded when more than 256 entries come at once.

  marker @1 (line :Text) -> ();
  # Prints the line on the console and records it. Returns after it was printed, so a marker that follows another was
  # printed after it. The line is printable ASCII of at most 120 bytes; control characters are refused.

  forSender @2 (name :Text) -> (sink :LogSink);
  # A sink of its own for a child of the caller: its sender is `<kind>:<name>` with the kind fixed in the authority
  # table. Only execd's sink can do this; for others the call is refused.
}

interface Journal {
  # Read the journal.

  query @0 (filter :Filter) -> (records :List(Record));
  # The newest records that match, oldest first. At most 512 at once.

  follow @1 (filter :Filter, follower :Follower) -> (subscription :Subscription);
  # As query, then each new matching record as it arrives. Dropping the subscription ends it. A follower that does not
  # keep up misses records (the sequence shows it); it never holds up logd.

  stats @2 () -> (stats :Stats);
  # Counters.
}

struct Filter {
  # Which records; an empty filter means all.

  sender @0 :Text;
  # Only this sender; empty for any.
  minLevel @1 :Level;
  # Only this severity and above.
  kinds @2 :List(Kind);
  # Only these kinds; empty for any.
  afterSequence @3 :UInt64;
  # Only records after this one.
  limit @4 :UInt32;
  # At most so many, 1 to 512; 0 means 512.
}

struct Stats {
  # Counters of the journal since logd started.

  records @0 :UInt64;
  # Records ever accepted.
  kept @1 :UInt64;
  # Records in the ring now.
  dropped @2 :UInt64;
  # Records lost: pushed out of the ring, or dropped by a sender before they reached logd.
  capacity @3 :UInt64;
  # Records the ring can hold.
}

interface Follower {
  # Receives records.

  records @0 (records :List(Record)) -> stream;
  # New records, oldest first, at most 64 at once.
}

interface Subscription {
  # Holding it keeps the subscription alive; dropping it ends it.
}
