@0x9351478dc0794896;
# Running bundles: what `execd` serves.
#
# Holders: initd holds ServiceHealth; operators hold ServiceWatch and Exec through initd.
#
# Class: blessed (the operator's program calls it), except ServiceHealth. One call or answer is at most 4 MiB
# (daemons/vat).

using Go = import "/go.capnp";
using Bootrecord = import "bootrecord.capnp";
$Go.package("exec");
$Go.import("nexus/capnpgen/exec");

interface ServiceWatch {
  # Read the state of the services of the published slot.

  list @0 () -> (services :List(ServiceStatus),
    quorum :UInt16, boot :UInt64);
  # The services of the publication that execd runs, in byte order of their names, then those of apps. `quorum` is the
  # number of optional services of the system that must be healthy. `boot` is the attempt that the publication belongs to.
}

interface ServiceHealth {
  # Follow the services of a boot attempt and settle it. Granted to initd, once, and to no other.
  #
  # Class: lockstep (only initd holds it).

  next @0 (known :UInt64, settled :UInt64) -> (revision :UInt64, boot :UInt64, services :List(ServiceStatus),
    quorum :UInt16);
  # The services of the publication that execd runs, which belongs to the attempt `boot`, and their `quorum`, as in
  # ServiceWatch.list. Answers as soon as the revision differs from `known` (0: at once), and after a quarter of a
  # second at the latest, which shows that execd is alive. `settled` is the newest attempt for which the end of a
  # service no longer affects the verdict: services of its publication are restarted when they end, those of a newer one
  # are not. It never decreases.

  app @1 (name :Text) -> (health :ServiceHealth);
  # The services of the package of apps `name`, which has attempts of its own; none if it is not published.
}

struct ServiceStatus {
  # One service.

  name @0 :Text;
  # Bundle name.
  version @1 :Text;
  # SemVer, from the manifest.
  state @2 :State;
  # Its state.
  native @3 :Bool;
  # Whether it exports Service; a plain one does not.
  pid @4 :UInt32;
  # Process id; 0 when it is not running.
  restarts @5 :UInt32;
  # How often it was restarted in this publication. A program that went on running from the publication before counts
  # from 0 again.
  detail @6 :Text;
  # One line for people.
  slot @7 :Bootrecord.Slot;
  # The slot of the publication that it belongs to. Its program may have been started from the other slot; see `since`.
  optional @8 :Bool;
  # Whether it counts only towards the quorum; else it is required.
  reason @9 :Text;
  # Why it failed, if it did: `service-exited`, `service-unhealthy` or `service-start-failed`. While it starts:
  # `hindered`, if this machine does not let it start yet.
  lapses @10 :UInt32;
  # How often it stopped being healthy in this publication: it reported so, or did not answer in time.
  lastFailure @11 :Text;
  # How it failed last in this publication, one line for people; empty: it did not.
  output @12 :List(Text);
  # The last lines that the program wrote which failed last, or else the one that runs, oldest first: at most 16 lines
  # and 2048 bytes. Empty for a service that is healthy and never failed.
  refused @13 :List(Text);
  # What was refused to that program and what would grant it, one line each, at most 4 of at most 256 bytes; see
  # Rollback in bootrecord.capnp.
  damaged @14 :Bool;
  # Whether its payload is not what was signed, or cannot be read any more: the slot is damaged, and the set is not to
  # blame.
  since @15 :UInt64;
  # The boot attempt during which its program was started; 0 when it is not running. An earlier attempt than that of the
  # publication means that the program went on running when the publication changed.
  app @16 :Text;
  # The package of apps that it is of; empty: the system.

  enum State {
    # The state of a service.
    unspecified @0;
    # Never sent.
    starting @1;
    # Running, but not known to be healthy yet.
    healthy @2;
    # Running and healthy.
    failed @3;
    # It ended, reports a failure, or could not be started.
  }
}

interface Exec {
  # Run bundles of the published slot.

  run @0 (bundle :Text) -> (process :Process);
  # Starts a bundle with the ability `nexus.ability.Main`. Refused as `unknown-bundle`, `not-runnable` or
  # `wrong-architecture`.
}

interface Process {
  # A running program. Dropping it kills the program.

  wait @0 () -> (exitCode :Int32, signal :Int32);
  # Waits for the program to end. `exitCode` is its exit code; `signal` is the signal that ended it, 0 for a normal
  # exit.

  kill @1 () -> ();
  # Kills the program and its process group. No effect once it has ended.
}
