@0xf783b1efe4e5d4ec;
# Updates: what `updated` serves. It is the one owner of the boot record and the one writer of the standby slot.
#
# Verification yields authority: `switch` exists only on StagedSystem, and only a complete, verified stage returns one.
# Committing is another power than switching: HealthGate is granted to initd alone and no name leads to it.
#
# Who holds what: UpdateStatus: whoever may look. UpdateStage: whoever may bring sets and no more. Updated: operators
# and the selftest. UpdateRecovery: the operator. HealthGate: initd.
#
# Class: blessed (the operator's program calls it), but for HealthGate. One call or answer is at most 4 MiB
# (daemons/vat).
#
# An outcome a caller branches on is data (Refusal); exceptions mean a bug, overload or a lost connection.

using Go = import "/go.capnp";
using Bootrecord = import "bootrecord.capnp";
using Bundle = import "bundle.capnp";
using Keystore = import "keystore.capnp";
$Go.package("update");
$Go.import("nexus/capnpgen/update");

const maxChunkBytes :UInt32 = 1048576;
# The largest piece of an archive StageSink.write accepts.

interface UpdateStatus {
  # Look, without the power to change anything.

  getStatus @0 () -> (status :Status);
  # The state now.

  history @1 () -> (events :List(Bootrecord.Event));
  # The last accepted steps, oldest first, at most 64.

  follow @2 (observer :StatusObserver) -> (subscription :StatusSubscription);
  # Calls onChanged now and after each change of the state. An observer that does not keep up sees only the newest
  # state; one that takes 10 s over a call is let go. At most 16 for one client, beyond that `overloaded`; null is
  # refused (an exception).
}

interface StatusObserver {
  # Learns of changes of the state.

  onChanged @0 (status :Status) -> ();
  # The state is now this.
}

interface StatusSubscription {
  # Holding it keeps the observer informed; dropping it ends it.
}

struct Status {
  # The boot record for people and programs; digests as in bootrecord.capnp.

  active @0 :Bootrecord.Slot;
  # The confirmed slot.
  pending @1 :Bootrecord.Slot;
  # The slot on trial, or none.
  staged @2 :Bootrecord.Slot;
  # The slot with a staged set, or none.
  triesLeft @3 :UInt8;
  # Boot attempts left for the pending slot.
  healthOk @4 :Bool;
  # Whether the active slot is confirmed. There is no third state: not yet confirmed is not healthy.
  persistent @5 :Bool;
  # Whether the record survives a reboot; else it is kept in memory only.
  boot @6 :UInt64;
  # The current boot attempt. When it is another than the one initd last began, a switch, a failed try or a rollback has
  # made a new one due.
  slotA @7 :SlotStatus;
  # Slot a.
  slotB @8 :SlotStatus;
  # Slot b.
  quarantine @9 :List(Bootrecord.Quarantined);
  # Sets that must not come back.
  lastRollback @10 :Bootrecord.Rollback;
  # Null if there was none.
  staging @11 :Bool;
  # Whether a stage is under way, or none is.
  watched @12 :Bool;
  # Whether the active set, confirmed lately, is under watch: should it not hold, the slot before comes back. Else it
  # stands for good.
  versionFloor @13 :Text;
  # No set of an older version is accepted, SemVer; empty: there is no floor.
  bootCause @14 :Bootrecord.BootCause;
  # Why the boot under way began.
  abruptEnds @15 :UInt8;
  # Boots in a row that ended without an order while the same set ran, and not once held; 255: that many or more.
  pauseMs @16 :UInt32;
  # How long initd waits before the first attempt of a boot that begins like this, milliseconds, because of those ends.
  core @17 :Text;
  # Version of the bundle `nexus.core` that the system itself runs from, SemVer; empty: the system runs from the program
  # it was started with.
}

struct SlotStatus {
  # One slot.

  content @0 :Bootrecord.SlotContent;
  # What it holds.
  bundles @1 :List(BundleRef);
  # The bundles in it, in byte order of their names.
}

struct BundleRef {
  # A bundle by name and version.

  name @0 :Text;
  # Bundle name.
  version @1 :Text;
  # SemVer.
}

interface Updated extends(UpdateStatus) {
  # Stage sets, and take up what is staged.

  stageSystem @0 (sizeBytes :UInt64, progress :StageProgress) -> (sink :StageSink, refusal :Keystore.Refusal);
  # Starts a stage into the standby slot. `sizeBytes`: the exact size of the archive; `progress` may be null. One stage
  # at a time: refused as `stage-in-progress`; refused as `trial-in-progress` while a slot is on trial,
  # `archive-too-large` over the policy. Nothing that was published or active changes. Dropping the sink before done()
  # discards everything received. A sender of whom less than 256 KiB come in a minute is refused as `stalled`, and so is
  # one that takes more than ten minutes and a second for every 16 KiB.

  staged @1 () -> (system :StagedSystem, refusal :Keystore.Refusal);
  # The set that is staged now, from a complete, verified stage; refused as `nothing-staged`.
}

interface StageSink {
  # Receives the archive in order.

  write @0 (bytes :Data) -> stream;
  # The next bytes, at most maxChunkBytes. Fails once the stage was refused; done() then says why.

  done @1 () -> (system :StagedSystem, refusal :Keystore.Refusal, reusedBytes :UInt64);
  # No more bytes. When it returns a system, the set is complete, verified and durable in the standby slot. When it
  # returns a refusal, nothing durable has changed. `reusedBytes`: see Progress. A second call is refused (an
  # exception).

  ticket @2 () -> (ticket :Data);
  # For a sender on the same machine, before the first write: the archive comes as an open file, to whoever names this
  # ticket (HandedFile.give), and from now on not by write. `ticket`: 16 bytes that nobody can guess, good for this
  # stage and one file. The file has to come within a minute. Dropping the sink before done() has returned discards the
  # stage. Another call returns the same ticket; after done(), or the end of the stage, it is refused (an exception).
}

interface UpdateStage {
  # Bring sets, without the power to take one up: no StagedSystem is had from it, by stage or otherwise.

  stage @0 (sizeBytes :UInt64, progress :StageProgress) -> (sink :StageOnlySink, refusal :Keystore.Refusal);
  # Starts a stage into the standby slot, as Updated.stageSystem does and with its refusals: a set that was staged
  # before is superseded. `sizeBytes`: the exact size of the archive; `progress` may be null. Dropping the sink before
  # done() discards everything received. What an operator has staged is his to take up: for a minute, or until it is,
  # those who may only stage are refused as `stage-in-progress`.
}

interface StageOnlySink {
  # Receives the archive in order.

  write @0 (bytes :Data) -> stream;
  # The next bytes, at most maxChunkBytes. Fails once the stage was refused; done() then says why.

  done @1 () -> (staged :StagedInfo, refusal :Keystore.Refusal, reusedBytes :UInt64);
  # No more bytes. When it tells what is staged, the set is complete, verified and durable in the standby slot, and
  # waits for somebody who may switch. When it returns a refusal, nothing durable has changed; `stale` means that the
  # set was staged, and superseded or taken up before it could be described. `reusedBytes`: see Progress. A second call
  # is refused (an exception).

  ticket @2 () -> (ticket :Data);
  # For a sender on the same machine: as StageSink.ticket.
}

interface StageProgress {
  # Learns how a stage proceeds.

  onProgress @0 (progress :Progress) -> ();
  # At most every 64th of the archive, and at each new phase.
}

struct Progress {
  # How far a stage is.

  phase @0 :Phase;
  # What is being done.
  doneBytes @1 :UInt64;
  # Bytes of the archive received and checked.
  totalBytes @2 :UInt64;
  # Size of the archive.
  bundle @3 :Text;
  # The bundle being received; empty before the first.
  reusedBytes @4 :UInt64;
  # Bytes of payloads that the device had already, verified anew, and that are not written again. They count as done
  # when their bytes of the archive were checked.

  enum Phase {
    # What is being done.
    receiving @0;
    # Receiving and verifying.
    publishing @1;
    # All verified; making the standby slot durable.
    reused @2;
    # The device had this set already; it was verified and taken as it is.
  }
}

interface StagedSystem {
  # A complete, verified set in the standby slot. The only place where switch exists.

  describe @0 () -> (system :StagedInfo);
  # What is staged. Refused as `stale` (an exception) after it was superseded, discarded or switched to.

  switch @1 () -> (refusal :Keystore.Refusal);
  # Puts the slot on trial: durable when it returns, with all tries. Initd then counts an attempt, publishes the slot
  # and gathers the verdict. Refused as `stale`, `quarantined`, `trial-in-progress`, `wrong-architecture`.

  discard @2 () -> (refusal :Keystore.Refusal);
  # Empties the standby slot. Refused as `stale`.
}

struct StagedInfo {
  # A staged set.

  slot @0 :Bootrecord.Slot;
  # Where it is.
  systemVersion @1 :Text;
  # SemVer.
  indexSha256 @2 :Data;
  # 32 bytes.
  bundles @3 :List(BundleRef);
  # In byte order of their names.
}

interface UpdateRecovery {
  # An operator's way back.

  rollback @0 () -> (refusal :Keystore.Refusal);
  # During a trial: ends it. Else: returns to the set in the other slot, if that one was good. Same code as the
  # automatic rollback; the set that was left is quarantined with reason `operator`. Refused as `no-previous`.

  clearQuarantine @1 (indexSha256 :Data) -> (refusal :Keystore.Refusal);
  # Lets the quarantined set with the digest `indexSha256` be staged again. Refused as `not-quarantined`.

  lowerFloor @2 (systemVersion :Text) -> (refusal :Keystore.Refusal);
  # Lowers the version floor to `systemVersion`, SemVer, at most 64 bytes; empty takes it away. Durable when it returns;
  # what the set that runs asks for counts again once it is confirmed the next time. Refused as `floor-not-lower`,
  # `bad-version`.

  scrub @3 () -> (slots :List(SlotCheck), refusal :Keystore.Refusal);
  # Reads every byte of both slots again and holds it against the signed digests, with as little memory as one piece of
  # a payload needs. A slot in which damage is found is marked so, durably, and if it is the active one the other slot
  # comes back if that is good and intact; a mark that is no longer true is taken away. No stage can begin meanwhile:
  # refused as `stage-in-progress`, also while one is under way.

  endStage @4 () -> (ended :Bool);
  # Ends the stage under way, whoever began it: its sender is refused as `cancelled`. Returns when its place is free;
  # `ended` is false when there was none, or it was complete before. The place is then kept for operators, for a minute
  # or until a switch: see UpdateStage.
}

struct SlotCheck {
  # What a check of one slot found.

  slot @0 :Bootrecord.Slot;
  # The slot.
  systemVersion @1 :Text;
  # Version of the set it was to hold; empty for an empty slot, which is always intact.
  reason @2 :Text;
  # Why the set did not pass, a reason code; empty: every byte is what was signed. Codes other than those of damage
  # (bootrecord.capnp) say that it could not be checked.
  detail @3 :Text;
  # One line for people, where there is a reason.
}

interface HealthGate {
  # The power to count attempts and to commit. Granted to initd, once, and to nobody else.
  #
  # Class: lockstep (only initd holds it).

  bootAttempt @0 (begun :UInt64) -> (attempt :Attempt);
  # Counts one attempt (durable before anything of the slot runs), then publishes the slot that is to run, unless that
  # slot's core has to take over first. When the pending slot has no try left it is rolled back first and the attempt is
  # for the active slot. `begun`: the attempt that the core before has counted for this one, which is taken up and not
  # counted again if it is still the current one; 0: none.

  healthOk @1 (boot :UInt64, watch :Bool) -> (watched :Bool, refusal :Keystore.Refusal);
  # The attempt `boot` proved healthy: durable when it returns. Refused as `wrong-boot` if that is not the current
  # attempt. With `watch`, a set that was on trial is under watch from then on, if there is a set to go back to, and one
  # that was stays so: `watched` tells; without, or else, it stands for good.

  healthFailed @2 (boot :UInt64, reason :Text, detail :Text) -> (verdict :Verdict, refusal :Keystore.Refusal);
  # The attempt `boot` did not prove healthy; `detail` is one line for people. Reasons: `service-exited`,
  # `service-unhealthy`, `service-start-failed`, `quorum-lost`, `selftest-failed`, `core-not-ready`, `health-timeout`,
  # `publish-failed`. With tries left and a reason other than `health-timeout` the verdict is retry: call bootAttempt
  # again. Else the slot is rolled back and quarantined; the bootAttempt that follows publishes the previous one. So is
  # a confirmed set that is under watch: `crash-loop` is the reason then.

  watchOver @3 (boot :UInt64) -> (refusal :Keystore.Refusal);
  # The set that was confirmed by the attempt `boot` has held: it is no longer under watch, and the abrupt ends before
  # are forgotten. Durable when it returns; a second call has no effect. Refused as `wrong-boot` if that is not the
  # current attempt.

  bootEnds @4 () -> ();
  # This boot is about to end because somebody ordered it. Durable when it returns: the cause of the next boot is
  # `commanded`, and the attempt under way costs nothing. A bootAttempt that follows takes it back; a second call has no
  # effect.

  core @5 () -> (index :Data, signature :Data, payload :Bundle.Blob, refusal :Keystore.Refusal);
  # The core that the set of the current attempt carries, for whoever trusts no word of this daemon: the raw index (at
  # most 1 MiB), its Ed25519 signature (64 bytes), and the payload of the bundle `nexus.core` that the index names.
  # Refused as `unknown-bundle` if the set carries none.
}

struct Attempt {
  # One boot attempt.
  #
  # Class: lockstep.

  boot @0 :UInt64;
  # Its number.
  slot @1 :Bootrecord.Slot;
  # The slot that runs.
  trial @2 :Bool;
  # Whether that slot is on trial, or confirmed.
  triesLeft @3 :UInt8;
  # Tries left after this one.
  refusal @4 :Keystore.Refusal;
  # Why the slot could not be published, if it could not; then report healthFailed with `publish-failed`.
  watched @5 :Bool;
  # Whether its set was confirmed lately and is under watch, or not.
  deadlineMs @6 :UInt32;
  # How long the set lets an attempt wait for its verdict, milliseconds; 0: it does not say.
  watchMs @7 :UInt32;
  # How long the set wants to be under watch after its commit, milliseconds; 0: it does not say.
  abruptEnds @8 :UInt8;
  # Boots in a row that ended without an order; where there are any, watchOver is wanted once the set has held, also
  # where it is not under watch.
  handOver @9 :HandOver;
  # Which core has to take over before anything of the slot runs; then nothing was published.
}

enum HandOver {
  # Which core an attempt is for, as seen from the one that runs.
  #
  # Class: lockstep.

  none @0;
  # The one that runs.
  slot @1;
  # The one that the slot's set carries: see HealthGate.core.
  image @2;
  # The one that the machine started with: the slot's set carries none.
}

enum Verdict {
  # What follows from a failed attempt.
  #
  # Class: lockstep.

  unspecified @0;
  # Never sent.
  retry @1;
  # Tries are left: call bootAttempt.
  rolledBack @2;
  # The previous slot is back: call bootAttempt for it.
  stays @3;
  # There is nothing to go back to; the slot stays, unconfirmed.
}
