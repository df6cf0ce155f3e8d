@0xc4d297091038a2d6;
# The operator's way in: what `initd` serves on the control socket (mode 0600 in the system's folder), and, with fewer
# methods, on the sockets that a system shares with others.
#
# Each method hands out one facet; whoever holds Operator can hand on less than all of it. Class: blessed (the
# operator's program may be older or newer than the system). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Bundle = import "bundle.capnp";
using Exec = import "exec.capnp";
using Journal = import "journal.capnp";
using Keystore = import "keystore.capnp";
using Packagefs = import "packagefs.capnp";
using Update = import "update.capnp";
$Go.package("operator");
$Go.import("nexus/capnpgen/operator");

interface Operator {
  # Facets of a running system. Each may end with `disconnected` when its daemon restarts: ask again. Any but
  # `attenuate` may be `not-granted` (an exception): this Operator was made without it.

  status @0 () -> (status :Update.UpdateStatus);
  # Look at slots and state.

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
  # How the services are.

  exec @7 () -> (exec :Exec.Exec);
  # Run bundles.

  anchors @8 () -> (anchors :Keystore.TrustAnchors);
  # The trusted keys.

  daemons @9 () -> (daemons :List(DaemonStatus));
  # The daemons, in start order; `initd` itself, which starts them, is the first.

  graph @10 () -> (edges :List(Edge));
  # The authority table, in its order: who is handed what while both ends live.

  stop @11 () -> ();
  # Stops the system in reverse start order. Returns when the stop has begun; the connection ends when it is done.
  # Refused as `superseded` (an exception) once a reboot was ordered.

  authority @12 () -> (authority :Authority);
  # Take back what a daemon holds.

  stage @13 () -> (stage :Update.UpdateStage);
  # Stage, and no more.

  attenuate @14 (methods :List(Text)) -> (operator :Operator);
  # An Operator that has only those of `methods` that this one has, by their names here, and `attenuate`. At most 64
  # names; what is no method's name gives nothing. Every other method of it is refused as `not-granted` (an exception).
  # It is good for as long as the connection over which it was made.

  reboot @15 () -> ();
  # Stops the system as `stop` does, and has it begin anew: in a machine of which `initd` is the first process, by a
  # restart of the machine. Returns when the stop has begun; the connection ends when it is done. Refused as
  # `superseded` (an exception) once another end was ordered.

  handFile @16 () -> (file :HandedFile, refusal :Keystore.Refusal);
  # Takes the open file that came over the same socket as a descriptor (SCM_RIGHTS, unix(7)) with the bytes of this call
  # or before them, for a stage that is to read it; of several the last one. Refused as `bad-file`, with no effect, when
  # none came, and unless it is a regular file of a local file system, open for reading: send its bytes then. Whoever
  # passes an Operator on passes no descriptors: that is `bad-file`.

  watchdog @17 () -> (watchdog :Watchdog);
  # The watchdog that restarts the machine when the system hangs. Null where `initd` is not the first process of a
  # machine.
}

interface HandedFile {
  # An open file on its way to a stage. Dropping it closes it.

  give @0 (ticket :Data) -> (refusal :Keystore.Refusal);
  # Gives the file to the stage that made `ticket` (StageSink.ticket), 16 bytes. With a ticket of no stage the file is
  # closed, and nobody is told. Refused as `bad-file` when it was given before.
}

interface Authority {
  # The power to take back what the authority table grants, and to give it again.

  revoke @0 (client :Text, service :Text) -> (refusal :Keystore.Refusal);
  # Takes `service`, a facet or a name that it may look up, from `client`, a daemon or a role, until the system stops or
  # it is granted again. Every link that the client has under that word is cut, also those of the bundles that found
  # something by its right: the holder's next call fails with `disconnected`, a new look-up as `unknown-name`, and no
  # link is made again. Writes one audit record. `refusal` is null on success; `unknown-name`, with nothing changed,
  # when the graph shows no such thing, and `not-revocable` when it cannot be taken back. Revoking twice changes
  # nothing.

  grant @1 (client :Text, service :Text) -> (refusal :Keystore.Refusal);
  # Undoes `revoke`: the client has `service` again, as the table grants it. Never gives more than the table. Writes one
  # audit record. Refused like `revoke`. Granting what was not revoked changes nothing.
}

struct DaemonStatus {
  # One daemon.

  name @0 :Text;
  # Its name.
  pid @1 :UInt32;
  # Process id, 0 when it does not run.
  ready @2 :Bool;
  # Whether it said that it serves; false while it starts, and when it does not run.
  restarts @3 :UInt32;
  # How often it was started again.
  lastExit @4 :Text;
  # How it ended the last time, empty if it never did.
  pssBytes @5 :UInt64;
  # Memory it needs, in bytes: its proportional set size (proc(5), smaps_rollup), in which what is shared counts in
  # shares. 0 while it does not run, and where the kernel does not tell.
  measures @6 :List(Measure);
  # What confines its process, in the order in which it was put on; at most 64. Empty for `initd`, which confines the
  # others, and while it does not run.
}

struct Watchdog {
  # What restarts the machine when its kernel or its first process hangs.

  on @0 :Bool;
  # Whether there is one and it is armed, or the machine has none.
  name @1 :Text;
  # What it calls itself. At most 32 bytes.
  timeoutMs @2 :UInt32;
  # How long the system may make no progress, milliseconds.
  detail @3 :Text;
  # Why there is none. At most 256 bytes.
}

struct Measure {
  # One thing that confines a process, or would if the machine could.

  name @0 :Text;
  # Which: `network`, `user`, `capabilities`, `privileges`, `paths`, `signals`, `calls`, `limits` (docs/security.md). At
  # most 32 bytes.
  on @1 :Bool;
  # Whether it is on; false means that the machine cannot give it or the row does not ask for it: there is no third
  # state, because a measure that fails keeps the process from being started.
  detail @2 :Text;
  # How, or why it is not. At most 4 KiB.
}

struct Edge {
  # One thing a daemon holds.

  holder @0 :Text;
  # Who holds it.
  facet @1 :Text;
  # What: a facet, or `dir:<name>`, `file:<name>`.
  provider @2 :Text;
  # Whose it is; empty for a resource.
  grants @3 :List(Text);
  # What may be reached through it, where the facet has names to grant.
}
