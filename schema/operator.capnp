@0xc4d297091038a2d6;
# The operator's access: what `initd` serves on the control socket (mode 0600, in the system's folder) and, with fewer
# methods, on the sockets that a system shares with others.
#
# Each method returns one facet, so a holder of Operator can pass on less than all of it. Class: blessed (the operator's
# program may be older or newer than the system). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Bundle = import "bundle.capnp";
using Exec = import "exec.capnp";
using Fetch = import "fetch.capnp";
using Journal = import "journal.capnp";
using Keystore = import "keystore.capnp";
using Packagefs = import "packagefs.capnp";
using Powers = import "powers.capnp";
using Update = import "update.capnp";
$Go.package("operator");
$Go.import("nexus/capnpgen/operator");

interface Operator {
  # The facets of a running system. Each may fail with `disconnected` when its daemon restarts; get it again then. Each
  # method except `attenuate` may be refused as `not-granted` (an exception), if this Operator was made without it. A method
  # may also be refused as `too-many-clients` (an exception): 8 of the 32 connections of a socket are kept for calls that
  # do not last, and this connection is one of those or exceeds the 32.

  status @0 () -> (status :Update.UpdateStatus);
  # Read slots and state.

  updated @1 () -> (updated :Update.Updated);
  # Stage and switch.

  recovery @2 () -> (recovery :Update.UpdateRecovery);
  # Roll back, clear quarantine.

  journal @3 () -> (journal :Journal.Journal);
  # Read the log.

  bundles @4 () -> (bundles :Bundle.BundleMgr);
  # Read the published bundles.

  packages @5 () -> (packages :Packagefs.PackageFs);
  # Read the published bundles by path.

  services @6 () -> (services :Exec.ServiceWatch);
  # Read the state of the services.

  exec @7 () -> (exec :Exec.Exec);
  # Run bundles.

  anchors @8 () -> (anchors :Keystore.TrustAnchors);
  # Read the trusted keys.

  daemons @9 () -> (daemons :List(DaemonStatus));
  # The daemons in start order, beginning with `initd` itself.

  graph @10 () -> (edges :List(Edge));
  # The authority table, in its order: what is granted to whom, as long as both ends live.

  stop @11 () -> ();
  # Stops the system in reverse start order. Returns when the stop has begun; the connection ends when it is complete.
  # Refused as `superseded` (an exception) if a reboot was requested before.

  authority @12 () -> (authority :Authority);
  # Revoke what a daemon holds.

  stage @13 () -> (stage :Update.UpdateStage);
  # Stage, and nothing more.

  attenuate @14 (methods :List(Text)) -> (operator :Operator);
  # An Operator with only those of `methods`, given by their names here, that this one has, and `attenuate`. At most 64
  # names; unknown names have no effect. All other methods are refused as `not-granted` (an exception). It is valid as
  # long as the connection on which it was made. Audit records of what is done with it say what was given up. At most 8
  # different attenuations of one connection can have facets; a ninth is refused those as overloaded.

  reboot @15 () -> ();
  # Like `stop`, but then starts the system again: on a machine whose first process is `initd`, by restarting the
  # machine. Returns when the stop has begun; the connection ends when it is complete. Refused as `superseded` (an
  # exception) if another shutdown was requested before.

  link @16 (method :Text) -> (link :Link);
  # Makes a link of the caller's own to a daemon: a socket over which it calls that daemon directly, and nothing passes
  # through `initd`. `method`: the method here that returns the facet; the socket has that facet as bootstrap
  # capability. Refused as `not-granted` (an exception) if this Operator was made without `method`. The socket is sent
  # as a descriptor (SCM_RIGHTS, unix(7)) no later than the answer, so make one call at a time. Fails as unimplemented
  # if the connection cannot carry descriptors; if none arrives, the Operator was passed on, and its connection does
  # not. Call `method` instead then. At most 4 per connection, beyond that `overloaded`.

  watchdog @17 () -> (watchdog :Watchdog);
  # The watchdog that restarts the machine when the system hangs. Null if `initd` is not the first process of a machine.

  trust @18 () -> (trust :TrustEditor);
  # Change which keys are trusted.

  powers @19 () -> (judge :Powers.PowerJudge);
  # Read what bundles are granted.

  policy @20 () -> (policy :Powers.PolicyEditor);
  # Change what bundles are granted.

  state @21 () -> (keeper :Powers.StateKeeper);
  # See, save and replace the state of bundles.

  fetch @22 () -> (fetcher :Fetch.Fetcher);
  # Have sets fetched from a registry and staged.

  apps @23 () -> (installer :Update.AppInstaller);
  # Install, upgrade and uninstall apps. A role such as `apps:web.*` returns one for those names only.

  fetchApps @24 () -> (fetcher :Fetch.AppFetcher);
  # Have sets of apps fetched from a registry and staged; with such a role for those names only.
}

interface TrustEditor {
  # Changes which keys the running system trusts. A change is in effect once its call has returned: for signatures that
  # are checked afterwards, not for what was verified before. Each call writes one audit record.

  add @0 (role :Text, publicKey :Data) -> (kept :Bool, refusal :Keystore.Refusal);
  # Trusts the Ed25519 key `publicKey`, 32 bytes, for `role`: `system` or `apps`. No effect if it is trusted already.
  # `kept` says whether the change survives a reboot: a machine takes its keys from its image at each start. Refused,
  # with nothing changed, as `bad-key` for another role or an unusable key, or as `too-many-keys`.

  remove @1 (role :Text, publicKey :Data) -> (kept :Bool, refusal :Keystore.Refusal);
  # Stops trusting `publicKey` for `role`; `kept` as for `add`. Sets in the slots that it signed can no longer be
  # verified, so they do not run again. Refused, with nothing changed, as `bad-key` like `add`, as `not-trusted` if it is
  # not trusted, or as `last-key` if it is the only key for the role `system`.

  update @2 (roots :Data,
    pin :Data) -> (version :UInt64, kept :Bool, refusal :Keystore.Refusal, stopped :List(Text));
  # Goes on to the last of these roots (trust.capnp), at most 1 MiB in all; `version` is the version from then on, `kept`
  # whether it survives a reboot. A system without a root begins with the one whose document has the SHA-256 `pin`, and from then on only
  # the root says what is trusted. May be called twice. Refused, with nothing changed, as keystored refuses the roots, and
  # as `locks-out` if the set that runs, or one that the trial under way would go back to, could not run any more.
  # `stopped`: the versions of other sets in the slots that cannot, at most 2.
}

interface Link {
  # Keeps a link open that was made by Operator.link. Dropping it cuts the link. When the daemon ends, so does the link;
  # it is not made again.
}

interface Authority {
  # The power to revoke what the authority table grants, and to grant it again.

  revoke @0 (client :Text, service :Text) -> (refusal :Keystore.Refusal);
  # Revokes `service`, a facet or a name that can be looked up, from `client`, a daemon or a role, until the system
  # stops or it is granted again. All of the client's links for it are cut, including those of bundles that got
  # something through its right: the next call fails with `disconnected`, a new look-up with `unknown-name`, and no new
  # link is made. Writes one audit record. `refusal` is null on success. Refused, without effect, as `unknown-name` if
  # the graph has no such edge, and as `not-revocable` if it cannot be revoked. Revoking twice has no further effect.

  grant @1 (client :Text, service :Text) -> (refusal :Keystore.Refusal);
  # Undoes `revoke`: the client has `service` again, as in the table. It never grants more than the table. Writes one
  # audit record. Refused like `revoke`. No effect if it was not revoked.

  operators @2 () -> (operators :List(RemoteOperator));
  # The keys by which operators come in over the network, in the order in which they were given; at most 64. `revoke` and
  # `grant` take one as the client `key:` and its 64 hex digits, with the service `Operator`.
}

struct RemoteOperator {
  # A key by which an operator comes in over the network.

  key @0 :Data;
  # Ed25519 public key, 32 bytes.
  role @1 :Text;
  # The role that its holder has.
  untilUnixMs @2 :UInt64;
  # When it ends; 0: it does not.
  revoked @3 :Bool;
  # Whether it was revoked, itself or with its role; false: it was not.
  connections @4 :UInt32;
  # How many are connected with it now.
}

interface OperatorGate {
  # Lets in operators who have come over the network and have proven a key.
  #
  # Class: lockstep (only remoted holds it).

  admit @0 (key :Data, address :Text, ticket :Text) -> (refusal :Keystore.Refusal);
  # Serves Operator, as far as the role of `key` goes, to whoever is at `address` and has proven to hold `key`: 32 bytes,
  # Ed25519. A stream socket arrives on the endowment channel, as `socket` with `ticket`; what remoted reads there it
  # passes on, and the other way round. The system closes the socket when the key is revoked or its time is over.
  # Refused, with nothing sent, as `key-refused`.
}

struct DaemonStatus {
  # One daemon.

  name @0 :Text;
  # Its name.
  pid @1 :UInt32;
  # Process id; 0 when it is not running.
  ready @2 :Bool;
  # Whether it has reported that it serves; false while it starts and when it is not running.
  restarts @3 :UInt32;
  # How often it was restarted.
  lastExit @4 :Text;
  # How it ended the last time; empty if it never did.
  pssBytes @5 :UInt64;
  # Memory usage in bytes: its proportional set size (proc(5), smaps_rollup), which counts shared memory in parts. 0
  # when it is not running, or if the kernel does not report it.
  measures @6 :List(Measure);
  # The measures that confine its process, in the order in which they were applied; at most 64. Empty for `initd`, which
  # confines the others, and when it is not running.
}

struct Watchdog {
  # The watchdog, which restarts the machine when the kernel or the first process hangs.

  on @0 :Bool;
  # Whether it is armed; false if the machine has none or it could not be used.
  name @1 :Text;
  # Its name, as reported by the driver. At most 32 bytes.
  timeoutMs @2 :UInt32;
  # The time without progress after which it restarts the machine, in milliseconds.
  detail @3 :Text;
  # Why it is not armed. At most 256 bytes.
  proven @4 :Bool;
  # Whether it has been seen to restart this machine; false if not yet. One that was seen to fail is not armed.
}

struct Measure {
  # One measure that confines a process, whether it is in effect or not.

  name @0 :Text;
  # One of `network`, `user`, `capabilities`, `privileges`, `paths`, `signals`, `calls`, `limits` (docs/security.md). At
  # most 32 bytes.
  on @1 :Bool;
  # Whether it is in effect; false if the machine does not support it or the row of the authority table does not ask for
  # it. There is no third state: if a measure fails, the process is not started.
  detail @2 :Text;
  # Details, or why it is not in effect. At most 4 KiB.
}

struct Edge {
  # One grant to a daemon.

  holder @0 :Text;
  # The holder.
  facet @1 :Text;
  # A facet, or `dir:<name>` or `file:<name>`.
  provider @2 :Text;
  # The provider; empty for a resource.
  grants @3 :List(Text);
  # What the holder may reach through it, if access to the facet is limited by names.
}
