@0xe26cb5f34f2a6cce;
# The boot record: the A/B state that decides what runs. One owner writes it: `updated`.
#
# Class: blessed. After a rollback the older system reads what the newer one wrote, so this file may only grow, and a
# writer starts from the stored message so that fields it does not know survive. At most 64 KiB. Two copies are kept,
# each with a generation and a checksum; the newest intact one counts (libupdates/durable, Cell).

using Go = import "/go.capnp";
$Go.package("bootrecord");
$Go.import("nexus/capnpgen/bootrecord");

enum Slot {
  # One of the two places a system set can be in.

  none @0;
  # No slot. Where a slot may be absent (pending, staged) this is the value.

  a @1;
  # Slot a; the factory set goes here.

  b @2;
  # Slot b.
}

enum BootCause {
  # Why a boot began. Only `commanded` has a consequence; the others are what the machine shows, for people.

  unknown @0;
  # Nothing tells.

  commanded @1;
  # Somebody ordered the end of the boot before: a reboot, a shutdown, a signal, the machine's own keys.

  crash @2;
  # The system before ended by itself: its kernel or its first process failed.

  watchdog @3;
  # The system before hung, and the watchdog reset the machine.

  power @4;
  # The machine had no power.
}

struct BootRecord {
  # The whole state of libupdates/bootctl. All digests are 32-byte SHA-256 of the raw bytes of a set's index.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1.

  active @1 :Slot;
  # The slot that last proved healthy, or the one the device started with. Never none.

  pending @2 :Slot;
  # The slot on trial, none when there is no trial.

  triesLeft @3 :UInt8;
  # Boot attempts left for the pending slot. 0 without a trial.

  healthOk @4 :Bool;
  # Whether the active slot was confirmed healthy. There is no third state: not yet confirmed is not healthy.

  staged @5 :Slot;
  # The slot that holds a complete, verified set nobody has switched to yet, or none.

  boot @6 :UInt64;
  # Count of boot attempts. Names the current attempt: only a verdict about this number is accepted.

  stageSerial @7 :UInt64;
  # Count of completed stages. A StagedSystem capability names one; an older one is stale.

  slotA @8 :SlotContent;
  # What slot a holds.

  slotB @9 :SlotContent;
  # What slot b holds.

  quarantine @10 :List(Quarantined);
  # Sets that were rolled back and may be neither staged nor switched to. At most 64; the oldest makes room.

  lastRollback @11 :Rollback;
  # The last rollback, null if there was none.

  history @12 :List(Event);
  # What happened, oldest first. At most 64; the oldest makes room.
  watchLeft @13 :UInt8;
  # While the active set, confirmed lately, is under watch: boot attempts it may begin until one more is a crash loop,
  # and the slot before comes back; one more than a watch begins with while the boot that somebody ordered has begun no
  # attempt. 0: it is not under watch.

  versionFloor @14 :Text;
  # No set of an older version is accepted, SemVer, at most 64 bytes; empty: there is no floor. It rises with what is
  # confirmed for good, and only an operator lowers it.

  bootCause @15 :BootCause;
  # Why the boot under way began.

  endOrdered @16 :Bool;
  # Whether somebody ordered the end of the boot under way, or nobody did: the next boot's cause is `commanded` then,
  # and the attempt under way is given back. No attempt was begun since.

  abruptEnds @17 :UInt8;
  # Boots in a row that ended without an order while the same set ran, and not once held; 255: that many or more. A boot
  # waits the longer before its first attempt.
}

struct SlotContent {
  # What one slot holds.

  indexSha256 @0 :Data;
  # 32 bytes, or empty for an empty slot.

  systemVersion @1 :Text;
  # Version of the set, SemVer; empty for an empty slot.

  good @2 :Bool;
  # Whether this very set was confirmed healthy in this slot once, or never was. Only a good set can be returned to by
  # an operator.

  versionFloor @3 :Text;
  # The floor that this set asks for, as far as the device's policy heeds it, SemVer; empty: none.

  damage @4 :Text;
  # Reason code of the damage that was found in what the slot holds (`digest-mismatch`, `size-mismatch`,
  # `missing-entry`); empty: none was. A damaged slot is neither switched to nor returned to.
}

struct Quarantined {
  # One set that must not come back by itself.

  indexSha256 @0 :Data;
  # 32 bytes.

  systemVersion @1 :Text;
  # Version of the set, SemVer.

  reason @2 :Text;
  # Reason code of the rollback that put it here (see update.capnp, HealthGate).
}

struct Rollback {
  # Why the system went back.

  reason @0 :Text;
  # Reason code.

  detail @1 :Text;
  # One line for people: which service, how it ended. At most 256 bytes.

  indexSha256 @2 :Data;
  # 32 bytes: the set that was left.

  systemVersion @3 :Text;
  # Version of the set that was left.
}

struct Event {
  # One accepted step. Refusals change nothing, so they are not here but in the audit log.

  op @0 :Text;
  # `stage`, `discard`, `switch`, `attempt`, `commit`, `rollback`, `clear`, `held`, `floor`, `damaged`, `mended` or
  # `boot`.

  slot @1 :Slot;
  # The slot it was about.

  systemVersion @2 :Text;
  # Version of the set it was about; of a `floor`, the new floor.

  indexSha256 @3 :Data;
  # 32 bytes: the set it was about; empty for an empty slot.

  reason @4 :Text;
  # Reason code where the step has one (rollback, clear, damaged); of a `boot` its cause, a BootCause by name; else
  # empty.

  boot @5 :UInt64;
  # The boot attempt during which it happened.
}
