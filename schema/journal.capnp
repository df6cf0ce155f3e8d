@0xaaccfa1760482c3e;
# Log, audit and console: what `logd` serves. Where the system has a state folder, a bounded part of the journal is kept
# there and is read back after a restart.
#
# Holders: every daemon holds one LogSink, whose sender was set when the connection was made; the operator and the
# selftest hold Journal.
#
# Class: blessed (operators and programs read the journal). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("journal");
$Go.import("nexus/capnpgen/journal");

const maxRecordBytes :UInt32 = 4096;
# The maximum size of a record's message, keys and values together, in bytes. Larger ones are truncated.

const maxCrashBytes :UInt32 = 12288;
# The same for records of kind crash.

enum Level {
  # Severity, ascending.

  unspecified @0;
  # Not set; shown as info.
  trace @1;
  # Single steps, for developers.
  debug @2;
  # Decisions, for developers.
  info @3;
  # What an operator may want to know afterwards.
  warn @4;
  # Something was refused or had to be repeated.
  error @5;
  # Something failed unexpectedly.
}

enum Kind {
  # The type of a record.

  message @0;
  # A plain log record.
  audit @1;
  # One step that changes what runs or what is trusted, such as a stage, a rollback or a stop, successful or refused.
  marker @2;
  # A line that was printed on the console exactly as in `message`.
  crash @3;
  # A process ended unexpectedly.
}

struct Field {
  # One structured value of a record.

  key @0 :Text;
  # Name, such as `slot`.
  value @1 :Text;
  # Value, as text.
}

struct Entry {
  # What a sender logs.

  level @0 :Level;
  # Severity.
  kind @1 :Kind;
  # Its type.
  message @2 :Text;
  # A constant text. Everything variable is in the fields.
  fields @3 :List(Field);
  # At most 32.
}

struct Record {
  # What the journal keeps.

  sequence @0 :UInt64;
  # Number in the journal, counted from 1 without gaps. A gap means that the reader missed records.
  sender @1 :Text;
  # The sender: a daemon's name or `bundle:<name>`. Set by the connection, never by the sender.
  unixMs @2 :Int64;
  # When logd received it, in milliseconds since 1970-01-01 UTC.
  entry @3 :Entry;
  # The entry as sent.
  boot @4 :UInt32;
  # In which run of the system it was received, counted from 1. Without a state folder this is always 1.
  auditNumber @5 :UInt64;
  # For audit records: its number in the chain of audit records, counted from 1 without gaps and over all boots. 0 for
  # other records, and for audit records of a version without the chain.
  previousSha256 @6 :Data;
  # For audit records in the chain: the SHA-256 of the audit record before it (32 bytes; all zero for number 1), as
  # docs/journal.md defines it.
  durable @7 :Bool;
  # It is on disk, and will be read back after a power cut. False: it is in memory only.
}

struct AuditHead {
  # The end of the chain of audit records. It determines all of them, so a copy that is kept elsewhere shows later
  # whether any was changed, removed or reordered.

  number @0 :UInt64;
  # The number of the newest audit record; 0: there is none yet.
  sha256 @1 :Data;
  # Its SHA-256, 32 bytes; all zero if there is none yet.
}

struct Segment {
  # A part of the journal as it is kept on disk: one value under the prefix `journal` (statefs.capnp), at most
  # maxSegmentBytes.

  records @0 :List(Record);
  # Oldest first; none is in two segments but after a cut, where one copy counts.
  head @1 :AuditHead;
  # The head of the chain when the segment was written.
  boot @2 :UInt32;
  # The number of the boot in which it was written.
  bootId @3 :Text;
  # The id that initd gave that boot, at most 64 bytes. It tells a restart of logd from one of the system.
  oldest @4 :UInt64;
  # The number of the oldest audit record that was on disk when the segment was written.
}

const maxSegmentBytes :UInt32 = 65536;
# The largest segment on disk, in bytes.

interface LogSink {
  # The right to add records under one name, and nothing else.
  #
  # Class: lockstep (only daemons hold it).

  write @0 (entries :List(Entry), dropped :UInt64) -> ();
  # Adds up to 256 entries in order. `dropped`: how many entries the sender itself has dropped since its last call. When
  # it returns, the entries are in memory but not durable. A sender that is faster than its rate waits. Errors: overloaded
  # if more than 256 entries are sent at once.

  marker @1 (line :Text) -> ();
  # Prints the line on the console and records it. Returns after printing, so markers that are sent one after the other
  # are printed in that order. The line is printable ASCII of at most 120 bytes; control characters are refused.

  forSender @2 (name :Text) -> (sink :LogSink);
  # A separate sink for a child of the caller, with the sender `<kind>:<name>`. The kind is fixed in the authority
  # table. Only execd's sink can do this; for others the call is refused.

  sync @3 () -> (saved :Bool);
  # Returns once what logd was told before is on disk: `saved` is true then. False: this journal is kept in memory only,
  # or the disk does not take it. It waits at most two seconds. A second call has no further effect.
}

interface Journal {
  # Read the journal.

  query @0 (filter :Filter) -> (records :List(Record));
  # The newest matching records, oldest first. At most 512 at once.

  follow @1 (filter :Filter, follower :Follower) -> (subscription :Subscription);
  # Like query, followed by each new matching record. Dropping the subscription ends it. A follower that is too slow
  # misses records and is told how many; it never slows down logd.

  stats @2 () -> (stats :Stats);
  # Counters.

  head @3 () -> (head :AuditHead, oldest :UInt64);
  # The head of the chain of audit records, and the number of the oldest one that was not evicted for room.
}

struct Filter {
  # Selects records. An empty filter selects all.

  sender @0 :Text;
  # Only this sender; empty for any.
  minLevel @1 :Level;
  # Only records of this severity or above.
  kinds @2 :List(Kind);
  # Only records of these types; empty for any.
  afterSequence @3 :UInt64;
  # Only records after this number.
  limit @4 :UInt32;
  # The maximum number of records, 1 to 512; 0 means 512.
  sinceUnixMs @5 :Int64;
  # Only records from this time on, milliseconds since 1970-01-01 UTC; 0 for any.
  withinMs @6 :UInt64;
  # Only records of the last so many milliseconds before the call, by logd's own clock; 0 for any.
  beforeSequence @7 :UInt64;
  # Only records before this number; 0 for any. With it, a reader gets more than one answer holds, page by page.
  untilUnixMs @8 :Int64;
  # Only records from before this time, milliseconds since 1970-01-01 UTC; 0 for any.
  boot @9 :UInt32;
  # Only records of the boot with this number; 0 for any.
  scope @10 :Text;
  # Only records of this scope, which is the value of their field `scope`, or the sender where they have none; empty for
  # any.
  durableOnly @11 :Bool;
  # Only records that are on disk; false for any.
}

struct Stats {
  # Counters of the journal since logd started.

  records @0 :UInt64;
  # The number of the newest record: if nothing was read back from disk, all records accepted so far.
  kept @1 :UInt64;
  # Records in the journal now.
  dropped @2 :UInt64;
  # Records lost: evicted from the journal, or dropped by a sender before they reached logd.
  capacity @3 :UInt64;
  # Records the journal can hold.
  senders @4 :List(SenderStats);
  # The same by sender, in byte order of their names, at most 512: those of whom something is kept, and those who lost
  # the most.
  boot @5 :UInt32;
  # The number of this boot.
  persistent @6 :Bool;
  # A part of the journal is kept on disk. False: all of it is in memory only.
}

struct SenderStats {
  # What became of the records of one sender.

  sender @0 :Text;
  # Who, as in Record.
  kept @1 :UInt64;
  # Its records in the journal now.
  dropped @2 :UInt64;
  # Its records that were lost, as in Stats.
}

interface Follower {
  # Receives records.

  records @0 (records :List(Record), missed :UInt64) -> stream;
  # New records, oldest first, at most 64 at once. `missed`: how many matching records were evicted since the last call
  # before they could be sent.
}

interface Subscription {
  # Keeps a subscription. Dropping it ends the subscription.
}
