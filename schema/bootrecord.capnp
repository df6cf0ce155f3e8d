@0xe26cb5f34f2a6cce;
# The boot record: the A/B state that decides what runs. It has one writer: `updated`.
#
# Class: blessed. After a rollback the older system reads what the newer one wrote. So this file may only grow, and a
# writer starts from the stored message, so that fields it does not know survive. At most 64 KiB. Two copies are kept,
# each with a generation and a checksum; the newest intact one counts (libupdates/durable, Cell).

using Go = import "/go.capnp";
$Go.package("bootrecord");
$Go.import("nexus/capnpgen/bootrecord");

enum Slot {
  # One of the two places for a system set.

  none @0;
  # No slot; the value where a slot is optional (pending, staged).

  a @1;
  # Slot a. The factory set is installed here.

  b @2;
  # Slot b.

  staged @3;
  # Where a staged set waits for its switch. Nothing runs from here, and the record never names it.
}

enum BootCause {
  # Why a boot began. Only `commanded` has consequences; the other values are what the machine reports, for people.

  unknown @0;
  # Unknown.

  commanded @1;
  # The previous boot was ended on request: a reboot, a shutdown, a signal, or the machine's keys.

  crash @2;
  # The previous boot ended because its kernel or its first process failed.

  watchdog @3;
  # The previous boot hung, and the watchdog reset the machine.

  power @4;
  # The machine had no power.
}

struct BootRecord {
  # The complete state of libupdates/bootctl. All digests are the 32-byte SHA-256 of the raw bytes of a set's index.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1.

  active @1 :Slot;
  # The slot that was confirmed last, or the one that the device started with. Never none.

  pending @2 :Slot;
  # The slot on trial, or none.

  triesLeft @3 :UInt8;
  # Boot attempts left for the pending slot. 0 without a trial.

  healthOk @4 :Bool;
  # Whether the active slot was confirmed healthy. There is no third state: not yet confirmed is not healthy.

  staged @5 :Slot;
  # Always none. Older versions staged a set in the standby slot, which they named here: a reader takes what that slot
  # holds for the staged set.

  boot @6 :UInt64;
  # Count of boot attempts. It identifies the current attempt: a verdict with another number is refused.

  stageSerial @7 :UInt64;
  # Count of completed stages. Each StagedSystem capability belongs to one count; with an older one it is stale.

  slotA @8 :SlotContent;
  # What slot a holds.

  slotB @9 :SlotContent;
  # What slot b holds.

  quarantine @10 :List(Quarantined);
  # Sets that were rolled back and may be neither staged nor switched to. At most 64; the oldest is dropped first.

  lastRollback @11 :Rollback;
  # The last rollback, or null.

  history @12 :List(Event);
  # The last steps, oldest first. At most 64; the oldest is dropped first.
  watchLeft @13 :UInt8;
  # While the active set is under watch after its commit: the number of boot attempts left. An attempt that begins with
  # only 1 left is a crash loop, which returns to the previous slot. After a boot that was ended on request, the attempt
  # that it cut short is given back, so until the next attempt there may be one more than at the start of the watch. 0:
  # the set is not under watch.

  versionFloor @14 :Text;
  # Sets with an older version are refused. SemVer, at most 64 bytes; empty: no floor. It rises when a set is committed
  # and no longer under watch. Only an operator can lower it.

  bootCause @15 :BootCause;
  # Why the current boot began.

  endOrdered @16 :Bool;
  # Whether the end of the current boot was requested, or not. If it was, the cause of the next boot is `commanded` and
  # the current attempt is not counted. A new attempt resets it to false.

  abruptEnds @17 :UInt8;
  # Number of consecutive boots with the same set that ended without a request before the set had held; 255 means 255 or
  # more. The higher it is, the longer a boot waits before its first attempt.

  stagedSet @18 :SlotContent;
  # The complete, verified set that waits for its switch, in neither slot; null or empty: none. During a trial it counts
  # as none.
}

struct SlotContent {
  # The content of one slot.

  indexSha256 @0 :Data;
  # 32 bytes, or empty for an empty slot.

  systemVersion @1 :Text;
  # Version of the set, SemVer; empty for an empty slot.

  good @2 :Bool;
  # Whether this set was ever confirmed healthy in this slot, or never was. An operator can return only to a good set.

  versionFloor @3 :Text;
  # The version floor of this set, as far as the device's policy applies it, SemVer; empty: none.

  damage @4 :Text;
  # Reason code of damage found in the slot (`digest-mismatch`, `size-mismatch`, `missing-entry`); empty: none. A
  # damaged slot is neither switched to nor returned to.
}

struct Quarantined {
  # A set that must not be used again unless an operator allows it.

  indexSha256 @0 :Data;
  # 32 bytes.

  systemVersion @1 :Text;
  # Version of the set, SemVer.

  reason @2 :Text;
  # Reason code of the rollback (see update.capnp, HealthGate).
}

struct Rollback {
  # A rollback and its reason.

  reason @0 :Text;
  # Reason code.

  detail @1 :Text;
  # One line for people, such as the service and how it ended. At most 256 bytes.

  indexSha256 @2 :Data;
  # 32 bytes: the set that was rolled back.

  systemVersion @3 :Text;
  # Version of the set that was rolled back.

  output @4 :List(Text);
  # The last lines that the failed service wrote, oldest first: at most 16 lines and 2048 bytes of printable text. Empty
  # where no service failed, or it wrote nothing.

  refused @5 :List(Text);
  # What the system refused to that service and what would grant it, one line each, at most 4 of at most 256 bytes. What
  # is known only from the service's own output says so.
}

struct Event {
  # One accepted step. Refusals change nothing; they are only in the audit log.

  op @0 :Text;
  # `stage`, `discard`, `switch`, `attempt`, `commit`, `rollback`, `clear`, `held`, `floor`, `damaged`, `mended` or
  # `boot`.

  slot @1 :Slot;
  # The slot concerned.

  systemVersion @2 :Text;
  # Version of the set concerned; for a `floor`, the new floor.

  indexSha256 @3 :Data;
  # 32 bytes: the set concerned; empty for an empty slot.

  reason @4 :Text;
  # Reason code of a rollback, clear or damaged step; for a `boot` its cause, a BootCause by name; otherwise empty.

  boot @5 :UInt64;
  # The boot attempt in which it happened.

  unixMs @6 :Int64;
  # When, by the device's clock, milliseconds since 1970-01-01 UTC; 0: not known, as in a record of an older system. A
  # device whose clock was not set yet says what its clock showed.

  detail @7 :Text;
  # One line for people where the step has a reason; at most 128 bytes.
}
