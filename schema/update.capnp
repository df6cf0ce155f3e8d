@0xf783b1efe4e5d4ec;
# Updates: what `updated` serves. It is the only owner of the boot record and the only writer of the standby slot.
#
# Verification yields authority: `switch` exists only on StagedSystem, and only a complete, verified stage returns one.
# Committing is a separate power: HealthGate is granted only to initd and cannot be looked up by name.
#
# Holders: UpdateStatus: clients that may read the state. UpdateStage: clients that may stage sets, and nothing more.
# Updated: operators and the selftest. UpdateRecovery: the operator. HealthGate: initd. AppInstaller: operators,
# clients with the role `apps`, and the selftest. AppGate: initd.
#
# Class: blessed (the operator's program calls it), except HealthGate and AppGate. One call or answer is at most 4 MiB
# (daemons/vat).
#
# An outcome that callers branch on is data (Refusal). Exceptions mean a bug, overload or a lost connection.

using Go = import "/go.capnp";
using Bootrecord = import "bootrecord.capnp";
using Bundle = import "bundle.capnp";
using Keystore = import "keystore.capnp";
$Go.package("update");
$Go.import("nexus/capnpgen/update");

const maxChunkBytes :UInt32 = 1048576;
# The maximum size of a piece for StageSink.write, in bytes.

interface UpdateStatus {
  # Read the state, without the power to change it.

  getStatus @0 () -> (status :Status);
  # The current state.

  history @1 () -> (events :List(Bootrecord.Event));
  # The last accepted steps, oldest first, at most 64.

  follow @2 (observer :StatusObserver) -> (subscription :StatusSubscription);
  # Calls onChanged at once and after each change of the state. A slow observer sees only the newest state; one whose
  # call takes longer than 10 s is dropped. At most 4 per client, beyond that `overloaded`; null is refused (an
  # exception).
}

interface StatusObserver {
  # Receives changes of the state.

  onChanged @0 (status :Status) -> ();
  # The new state.
}

interface StatusSubscription {
  # Keeps an observer subscribed. Dropping it ends the subscription.
}

struct Status {
  # The boot record, for people and programs. Digests are as in bootrecord.capnp.

  active @0 :Bootrecord.Slot;
  # The slot that was confirmed last.
  pending @1 :Bootrecord.Slot;
  # The slot on trial, or none.
  staged @2 :Bootrecord.Slot;
  # `staged` if a set is staged, see stagedSet, or none.
  triesLeft @3 :UInt8;
  # Boot attempts left for the pending slot.
  healthOk @4 :Bool;
  # Whether the active slot is confirmed. There is no third state: not yet confirmed is not healthy.
  persistent @5 :Bool;
  # Whether the record survives a reboot; else it is only in memory.
  boot @6 :UInt64;
  # The current boot attempt. If it is not the one that initd began last, a switch, a failed try or a rollback requires
  # a new one.
  slotA @7 :SlotStatus;
  # Slot a.
  slotB @8 :SlotStatus;
  # Slot b.
  quarantine @9 :List(Bootrecord.Quarantined);
  # Sets that must not be used again unless an operator allows it.
  lastRollback @10 :Bootrecord.Rollback;
  # Null if there was no rollback.
  staging @11 :Bool;
  # Whether a stage is running, or none is.
  watched @12 :Bool;
  # Whether the active set is under watch after its commit, so that the previous slot returns if it does not hold. Else
  # the commit is final.
  versionFloor @13 :Text;
  # Sets with an older version are refused, SemVer; empty: no floor.
  bootCause @14 :Bootrecord.BootCause;
  # Why the current boot began.
  abruptEnds @15 :UInt8;
  # Number of consecutive boots with the same set that ended without a request before the set had held; 255 means 255 or
  # more.
  pauseMs @16 :UInt32;
  # How long initd waits, because of those ends, before the first attempt of the next boot, in milliseconds.
  core @17 :Text;
  # Version of the bundle `nexus.core` that the system runs from, SemVer; empty: it runs from the program with which it
  # was started.
  stagedSet @18 :SlotStatus;
  # The staged set, which is in neither slot; empty if none is.
  stage @19 :UInt64;
  # Number of the last completed stage; it never decreases. During a trial it is the number of the stage on trial.
  stagingDoneBytes @20 :UInt64;
  # Bytes of the archive that the running stage has received and verified; 0 if none is running.
  stagingTotalBytes @21 :UInt64;
  # Size of that archive; 0 if no stage is running.
}

struct SlotStatus {
  # One slot.

  content @0 :Bootrecord.SlotContent;
  # What it holds.
  bundles @1 :List(BundleRef);
  # The bundles in it, in byte order of their names.
  kept @2 :Bool;
  # Whether the kernel verifies all payloads in it at every read (fs-verity). Else each boot attempt reads them.
  unkept @3 :Text;
  # Why it does not; empty if it does, or if the slot is empty.
}

struct BundleRef {
  # A bundle by name and version.

  name @0 :Text;
  # Bundle name.
  version @1 :Text;
  # SemVer.
  identity @2 :Data;
  # 16 bytes that differ for bundles with another manifest or payload: the beginning of the SHA-256 over the SHA-256 of
  # the manifest and that of the payload.
}

interface Updated extends(UpdateStatus) {
  # Stage sets and get the staged one.

  stageSystem @0 (sizeBytes :UInt64, progress :StageProgress) -> (sink :StageSink, refusal :Keystore.Refusal);
  # Starts a stage, beside the two slots. The archive is a system set, or a delta (delta.capnp), from which the set is
  # made with payloads that the device holds. `sizeBytes`: its exact size; `progress` may be null. There is one stage at
  # a time. Refused as `stage-in-progress`, as `trial-in-progress` while a slot is on trial, or as `archive-too-large` by
  # policy. What is published, and what the slots hold, does not change. Dropping the sink before done() discards
  # everything received. A sender is refused as `stalled` if less than 256 KiB arrive within a minute, or if it takes
  # longer than ten minutes plus a second for every 16 KiB.

  staged @1 () -> (system :StagedSystem, refusal :Keystore.Refusal);
  # The staged set, from a complete, verified stage. Refused as `nothing-staged`.
}

interface StageSink {
  # Receives the archive in order.

  write @0 (bytes :Data) -> stream;
  # The next bytes, at most maxChunkBytes. Fails once the stage has been refused; done() then returns why.

  done @1 () -> (system :StagedSystem, refusal :Keystore.Refusal, reusedBytes :UInt64, staged :StagedInfo);
  # The end of the archive. If it returns `staged`, the set is complete, verified and durable. `system` can switch to
  # it; it is null if the sink came from UpdateStage: the set then waits for a client that may switch. If it returns a
  # refusal, nothing durable has changed; `stale` means that the set was staged, but superseded, discarded or switched
  # to before it could be described. `reusedBytes`: see Progress. A second call is refused (an exception).

  file @2 () -> (refusal :Keystore.Refusal);
  # For a sender on the same machine, before the first write: the archive is the open file that was sent on the same
  # socket as a descriptor (SCM_RIGHTS, unix(7)), with the bytes of this call or before them; if there were several, the
  # last one. It is then not sent by write. Dropping the sink before done() has returned discards the stage. Refused as
  # `bad-file`, without effect, if there was none, or if it is not a regular file of a local file system that is open
  # for reading; write the bytes instead then. A second file, or one after done() or the end of the stage, is refused
  # (an exception).

  reuse @3 (payloadSha256 :Data) -> (bytes :UInt64);
  # Takes what the device has of the payload with the SHA-256 `payloadSha256`, 32 bytes, in place of the next bytes of
  # the archive, which are those of its content. `bytes` is how many these are; the sender goes on after them. They are
  # all of a payload that is on the device, every byte of which was verified when the stage began; the beginning of one
  # that an interrupted stage has kept, which is verified like bytes that come; or none. Call it where the content of the
  # payload begins. Fails like write.

  patch @4 (index :Data, signature :Data, payloadSha256 :Data) -> (bytes :UInt64, refusal :Keystore.Refusal);
  # Has the payload with the SHA-256 `payloadSha256`, 32 bytes, made by a patch, in place of the rest of its content. The
  # patch is that of a delta (delta.capnp) of this set: `index` is the delta's index, and `signature` its publisher's, 64
  # bytes; they are verified before anything is interpreted, and the base is read and verified. Call it after reuse of
  # this payload. The next bytes to write are those of the patch, but for the first `bytes`, which an interrupted stage
  # has kept; behind them the archive goes on after the payload. What is made is verified like bytes that come. Refused
  # without effect, so that the content can be sent: as `invalid-signature`, `bad-schema-version` or `bad-index`; as
  # `missing-base` if the device has no intact payload with the digest of the base, or the delta no patch; or as
  # `no-space` for the patch. A patch that does not make the payload ends the stage. Fails like write.

  stream @5 (bytes :UInt64) -> ();
  # For fetchd: the next `bytes` bytes of the archive are written to the pipe whose descriptor comes beside the answer
  # (SCM_RIGHTS, unix(7)), which costs less than messages. Calls that follow wait until they have come, or until the
  # pipe is closed; what is missing then comes by write. Others cannot call it (an exception). Fails like write.
}

interface UpdateStage {
  # Stage sets without the power to switch to them: its sinks never return a StagedSystem.

  stage @0 (sizeBytes :UInt64, progress :StageProgress,
    resume :Bool, forOperator :Bool) -> (sink :StageSink, refusal :Keystore.Refusal);
  # Starts a stage, like Updated.stageSystem and with the same refusals; a set that was staged before is superseded.
  # `sizeBytes`: the exact size of the archive; `progress` may be null. Dropping the sink before done() discards
  # everything received. A set staged by an operator is reserved: for a minute, or until a switch, holders of
  # UpdateStage are refused as `stage-in-progress`. With `resume`, what was received is kept when the stage ends early,
  # and also when the machine does: the next stage of the same set with `resume` has it for StageSink.reuse. Whatever
  # else is staged drops it, and so does endStage. `forOperator` says that the sender was asked for the set by a client
  # that may switch to it: the stage counts as an operator's. Only fetchd is believed.

  held @1 () -> (payloads :List(Data));
  # What a sender need not send, and what a delta may build on: the SHA-256, 32 bytes each, of every payload of the sets
  # on this device, each once, in ascending order. They are from the signed indexes: a stage reads the payloads
  # themselves, and refuses a delta as `missing-base` if one that it needs is damaged.

  untilEnded @2 (forOperator :Bool) -> (refusal :Keystore.Refusal);
  # Waits until an operator calls UpdateRecovery.endStage, and is then refused as `cancelled`. For a sender that pauses
  # between stages of one archive: it learns that it must not go on. Refused as `stage-in-progress` while the right to
  # stage is reserved for operators. `forOperator`: see stage.

  app @3 (name :Text, scope :Text, upgrade :Bool, older :Bool) -> (stage :UpdateStage, refusal :Keystore.Refusal);
  # The package `name` of apps, for a client that may change it: what is staged there can be switched to by
  # AppInstaller.open. `scope` is the part of the role `apps` that the client has, such as `web.*`; empty: all. With
  # `upgrade` the package has to run, or it is refused as `unknown-app`; without it must not, or it is refused as
  # `already-active`. `older` and all further refusals are those of AppInstaller.open. Only fetchd is believed; refused
  # as `not-granted` to others.
}

interface StageProgress {
  # Receives the progress of a stage.

  onProgress @0 (progress :Progress) -> ();
  # Called at each new phase, and at most once per 64th of the archive.
}

struct Progress {
  # The progress of a stage.

  phase @0 :Phase;
  # The phase.
  doneBytes @1 :UInt64;
  # Bytes of the archive received and verified.
  totalBytes @2 :UInt64;
  # Size of the archive.
  bundle @3 :Text;
  # The bundle being received; empty before the first.
  reusedBytes @4 :UInt64;
  # Bytes of payloads that the device already had: verified again, but not written again. They count as done once their
  # bytes in the archive have been verified.

  enum Phase {
    # The phase of a stage.
    receiving @0;
    # Receiving and verifying.
    publishing @1;
    # Everything is verified; making the set durable.
    reused @2;
    # The device already had this set; it was verified again and is used as it is.
  }
}

interface StagedSystem {
  # A complete, verified set that waits for its switch. Only this has switch.

  describe @0 () -> (system :StagedInfo);
  # What is staged. Refused as `stale` (an exception) after the set was superseded, discarded or switched to.

  switch @1 () -> (refusal :Keystore.Refusal);
  # Puts the set into the standby slot, replacing the set there, and on trial with all tries; durable when it returns.
  # initd then counts an attempt, publishes the slot and gathers the verdict. Refused as `stale`, `quarantined`,
  # `trial-in-progress`, `wrong-architecture`, `hindered`.

  discard @2 () -> (refusal :Keystore.Refusal);
  # Drops the set. Refused as `stale`.
}

struct StagedInfo {
  # A staged set.

  slot @0 :Bootrecord.Slot;
  # The slot that a switch would put it into.
  systemVersion @1 :Text;
  # SemVer.
  indexSha256 @2 :Data;
  # 32 bytes.
  bundles @3 :List(BundleRef);
  # In byte order of their names.
}

interface UpdateRecovery {
  # Recovery by an operator.

  rollback @0 () -> (refusal :Keystore.Refusal);
  # During a trial: ends it. Otherwise: returns to the set in the other slot, if that set is good. Same code as the
  # automatic rollback; the set that is left is quarantined with reason `operator`. Refused as `no-previous`.

  clearQuarantine @1 (indexSha256 :Data) -> (refusal :Keystore.Refusal);
  # Removes the set with the digest `indexSha256` from quarantine, so that it can be staged again. Refused as
  # `not-quarantined`.

  lowerFloor @2 (systemVersion :Text) -> (refusal :Keystore.Refusal);
  # Lowers the version floor to `systemVersion`, SemVer, at most 64 bytes; empty removes it. Durable when it returns.
  # The floor of the running set applies again when it is next confirmed. Refused as `floor-not-lower`, `bad-version`.

  scrub @3 () -> (slots :List(SlotCheck), refusal :Keystore.Refusal);
  # Reads every byte of both slots, and of the staged set, and checks it against the signed digests, in the memory of
  # one piece of a payload. A damaged slot is marked so, durably; if it is the active one, the other slot returns if it
  # is good and intact. A damaged staged set is no longer staged. A mark that no longer applies is removed. No stage can
  # begin meanwhile. Refused as `stage-in-progress` while one is running; a stage is refused alike while the check runs.

  endStage @4 () -> (ended :Bool);
  # Ends the running stage of any client, and whoever waits in UpdateStage.untilEnded; the senders are refused as
  # `cancelled`. Returns when another stage could begin. What an interrupted stage has kept is dropped. `ended` is false
  # if there was none of these, or if the stage completed before. The right to stage is then reserved for operators, for
  # a minute or until a switch: see UpdateStage.
}

struct SlotCheck {
  # The result of the check of one slot.

  slot @0 :Bootrecord.Slot;
  # The slot, or `staged` for the staged set; without one there is no entry for it.
  systemVersion @1 :Text;
  # Version of the set that it should hold; empty for an empty slot, which is always intact.
  reason @2 :Text;
  # Why the check failed, a reason code; empty: every byte is what was signed. Codes other than those of damage
  # (bootrecord.capnp) mean that the slot could not be checked.
  detail @3 :Text;
  # One line for people, if there is a reason.
}

interface AppList {
  # Read which apps there are.

  list @0 () -> (packages :List(AppPackage));
  # All packages, in byte order of their names, at most 64.
}

interface AppUpdate extends(Updated, UpdateRecovery) {
  # The update of a package, and its recovery. One capability: a result has at most one (docs/architecture/rpc-guard.md).
}

interface AppInstaller extends(AppList) {
  # Install, upgrade and uninstall apps. What one set of apps brings is a package, named after the first of its bundles.
  # Each package has a boot record and two slots of its own, and all that holds for the system holds for it: trial,
  # watch, quarantine, rollback (docs/architecture/apps.md).

  open @0 (name :Text, older :Bool) -> (app :AppUpdate, refusal :Keystore.Refusal);
  # The package `name`, which need not exist yet: a complete stage makes it. A set is staged for the role `apps`. Beside
  # the refusals of Updated, it is refused as `name-mismatch` if its first bundle is not `name`, as `name-taken` if it has
  # a bundle with the name of a bundle of the system or of another package, as `apps-together` if it leaves out a bundle
  # that runs, as `too-many-bundles` if it has more than 8, and as `downgrade` if its version is not higher than the one
  # that runs, or a bundle of it is older. With `older` it may be, if the device's policy allows that; else it is refused
  # as `policy-denied`. While a slot of the system is on trial, all changes are refused as `trial-in-progress`. Refused as
  # `bad-bundle-name`, and as `not-granted` if this AppInstaller was made without that name. Without the package, its
  # status and its recovery are refused as `unknown-app` (an exception).

  uninstall @1 (names :List(Text), keepState :Bool) -> (refusal :Keystore.Refusal);
  # Uninstalls the package that consists of the bundles `names`, at most 8. It is no longer published, its programs are
  # stopped, and the state of its bundles is removed, or stays for their next install with `keepState`. Durable when it
  # returns; if its programs have not ended within 20 s, the rest follows later, and the package cannot be installed
  # again before. Refused as `unknown-app`, as `apps-together` if `names` are not exactly the bundles of a package, as
  # `trial-in-progress` while the package or the system is on trial, as `stage-in-progress`, and as `not-granted`.
  # Writes one audit record.

  attenuate @2 (pattern :Text, publisher :Data) -> (installer :AppInstaller);
  # An AppInstaller for only those packages whose bundles all match `pattern`: a name, the beginning of names and `*`, or
  # `*` for all. With a `publisher`, 32 bytes, only for sets that this Ed25519 key has signed, beside those that it was
  # for already; empty: without a further limit. Refused as `bad-bundle-name` or `bad-key` (exceptions).
}

struct AppPackage {
  # One package of apps.

  name @0 :Text;
  # Its name.
  status @1 :Status;
  # Its slots and state. What runs is in the pending slot or, without one, in the active slot; empty: nothing is
  # installed, because the first trial failed or has not begun.
}

interface AppGate {
  # The power over the trials of apps. Granted to initd, once, and to no other.
  #
  # Class: lockstep (only initd holds it).

  follow @0 (observer :AppObserver) -> (subscription :StatusSubscription);
  # Calls onChanged at once and whenever a package comes or goes; otherwise like UpdateStatus.follow.

  gate @1 (name :Text) -> (gate :PackageGate, refusal :Keystore.Refusal);
  # The HealthGate and the status of the package `name`. Refused as `unknown-app`.

  forget @2 (name :Text) -> ();
  # The state of the package `name`, which was uninstalled, has been removed. Durable when it returns.
}

interface AppObserver {
  # Receives which packages there are.
  #
  # Class: lockstep.

  onChanged @0 (packages :List(Text), gone :List(GonePackage)) -> ();
  # The names of all packages, in byte order, and those that were uninstalled and whose state is to be removed.
}

struct GonePackage {
  # A package that was uninstalled.
  #
  # Class: lockstep.

  name @0 :Text;
  # Its name.
  bundles @1 :List(Text);
  # The bundles whose state is to be removed once no program of theirs runs.
}

interface HealthGate {
  # The power to count attempts and to commit. Granted to initd, once, and to no other.
  #
  # Class: lockstep (only initd holds it).

  bootAttempt @0 (begun :UInt64) -> (attempt :Attempt);
  # Counts one attempt, durably, before anything in the slot runs. Then publishes the slot to run, unless that slot's
  # core must take over first. If the pending slot has no tries left, it is rolled back first and the attempt is for the
  # active slot. `begun`: the attempt that the previous core has counted; if it is still the current one, it is
  # continued and not counted again; 0: none.

  healthOk @1 (boot :UInt64, watch :Bool) -> (watched :Bool, refusal :Keystore.Refusal);
  # The attempt `boot` proved healthy; durable when it returns. Refused as `wrong-boot` if that is not the current
  # attempt. With `watch`, a set on trial is under watch from now on, if there is a set to go back to, and a set under
  # watch stays so; `watched` is true then. Otherwise, or without `watch`, it is false and the commit is final.

  healthFailed @2 (boot :UInt64, reason :Text, detail :Text, output :List(Text),
    refused :List(Text)) -> (verdict :Verdict, refusal :Keystore.Refusal);
  # The attempt `boot` did not prove healthy; `detail` is one line for people, `output` and `refused` are kept with the
  # rollback (bootrecord.capnp). Reasons: `service-exited`, `service-unhealthy`, `service-start-failed`, `quorum-lost`,
  # `selftest-failed`, `core-not-ready`, `hindered`, `revoked`, `health-timeout`, `publish-failed`. If tries are left and
  # the reason is not `health-timeout`, `hindered` or `revoked`, the verdict is retry: call bootAttempt again. Otherwise
  # the slot is rolled back, and the next bootAttempt publishes the previous one; the set is quarantined unless the
  # reason is `core-not-ready`, `hindered` or `revoked`. The same happens to a confirmed set under watch, with the reason
  # `crash-loop`.

  watchOver @3 (boot :UInt64) -> (refusal :Keystore.Refusal);
  # The set that was confirmed by the attempt `boot` has held: it is no longer under watch, and the count of abrupt ends
  # is reset. Durable when it returns; repeating the call has no effect. Refused as `wrong-boot` if that is not the
  # current attempt.

  bootEnds @4 () -> ();
  # The current boot is about to end on request. Durable when it returns: the cause of the next boot is `commanded`, and
  # the current attempt does not count. A later bootAttempt revokes it; repeating the call has no effect.

  core @5 () -> (index :Data, signature :Data, payload :Bundle.Blob, refusal :Keystore.Refusal);
  # The core in the set of the current attempt, with its proof for a caller that does not trust this daemon: the raw
  # index (at most 1 MiB), its Ed25519 signature (64 bytes), and the payload of the bundle `nexus.core` in the index.
  # Refused as `unknown-bundle` if the set has none.

  installed @6 () -> (sets :List(Keystore.Installed));
  # The sets in the slots, at most 2, with their proofs for a caller that does not trust this daemon. A set whose index
  # or signatures cannot be read is left out. No effect.

  suspect @7 (boot :UInt64) -> ();
  # A program of the attempt `boot` met bytes that are not what was signed. Reads every byte of the slot that runs, and
  # marks it as damaged if that is so: the other slot then returns if it is good, by a new attempt. No effect if that is
  # not the current attempt.
}

interface PackageGate extends(HealthGate, UpdateStatus) {
  # What initd has of a package.
  #
  # Class: lockstep (only initd holds it).
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
  # Why the slot could not be published, if so; then report healthFailed: with `core-not-ready` for `io`, with `revoked`
  # if the set's key is no longer trusted, else with `publish-failed`.
  watched @5 :Bool;
  # Whether its set is under watch after its commit, or not.
  deadlineMs @6 :UInt32;
  # The set's time limit for the verdict on an attempt, in milliseconds; 0: not set.
  watchMs @7 :UInt32;
  # How long the set is to be under watch after its commit, in milliseconds; 0: not set.
  abruptEnds @8 :UInt8;
  # Number of consecutive boots that ended without a request. If it is not 0, call watchOver once the set has held, even
  # if it is not under watch.
  handOver @9 :HandOver;
  # Which core must take over before anything in the slot runs; if another one must, nothing has been published.
  indexSha256 @10 :Data;
  # The digest of the set in the slot, 32 bytes.
}

enum HandOver {
  # Which core an attempt is for, relative to the running one.
  #
  # Class: lockstep.

  none @0;
  # The running core.
  slot @1;
  # The core in the slot's set: see HealthGate.core.
  image @2;
  # The core with which the machine started, because the slot's set has none.
}

enum Verdict {
  # The consequence of a failed attempt.
  #
  # Class: lockstep.

  unspecified @0;
  # Never sent.
  retry @1;
  # Tries are left: call bootAttempt.
  rolledBack @2;
  # The previous slot is active again: call bootAttempt for it.
  stays @3;
  # There is no set to go back to; the slot stays, unconfirmed.
}
