@0x9351478dc0794896;
# Running bundles: what `execd` serves.
#
# Who holds what: initd holds ServiceHealth; operators hold ServiceWatch and Exec through initd.
#
# Class: blessed (the operator's program calls it), but for ServiceHealth. One call or answer is at most 4 MiB
# (daemons/vat).

using Go = import "/go.capnp";
using Bootrecord = import "bootrecord.capnp";
$Go.package("exec");
$Go.import("nexus/capnpgen/exec");

interface ServiceWatch {
  # Learn how the services of the published slot are.

  list @0 () -> (services :List(ServiceStatus),
    quorum :UInt16);
  # The services of the publication that execd runs, in byte order of their names; `quorum`: how many of the optional
  # ones must be healthy.
}

interface ServiceHealth {
  # Follow the services of a boot attempt, with the power to settle it. Granted to initd, once, and to nobody else.
  #
  # Class: lockstep (only initd holds it).

  next @0 (known :UInt64, settled :UInt64) -> (revision :UInt64, boot :UInt64, services :List(ServiceStatus),
    quorum :UInt16);
  # The services of the publication that execd runs, which is for the attempt `boot`, and their `quorum`, as
  # ServiceWatch.list has them. Answers once the revision is no longer `known` (0: at once), and after a quarter of a
  # second in any case, so that a caller knows that execd is at work. `settled`: the newest attempt to which the end of
  # a service makes no difference any more; services of its publication that end are started again, those of a newer one
  # are not. It never goes back.
}

struct ServiceStatus {
  # One service.

  name @0 :Text;
  # Bundle name.
  version @1 :Text;
  # SemVer, from the manifest.
  state @2 :State;
  # How it is.
  native @3 :Bool;
  # Whether it exports Service; a plain one does not.
  pid @4 :UInt32;
  # Process id, 0 when it does not run.
  restarts @5 :UInt32;
  # How often it was restarted in this publication.
  detail @6 :Text;
  # One line for people.
  slot @7 :Bootrecord.Slot;
  # The slot it is run from.
  optional @8 :Bool;
  # Whether it counts for the quorum only; else it is required.
  reason @9 :Text;
  # Why it failed, where it did: `service-exited`, `service-unhealthy` or `service-start-failed`.
  lapses @10 :UInt32;
  # How often it was healthy and then said otherwise, or did not answer in time, in this publication.

  enum State {
    # How a service is.
    unspecified @0;
    # Never sent.
    starting @1;
    # Runs, not yet known to be healthy.
    healthy @2;
    # Runs and is healthy.
    failed @3;
    # Ended, says that it fails, or could not be started.
  }
}

interface Exec {
  # Run bundles of the published slot.

  run @0 (bundle :Text) -> (process :Process);
  # Starts a bundle with the ability `nexus.ability.Main`. Refused as `unknown-bundle`, `not-runnable` or
  # `wrong-architecture`.
}

interface Process {
  # One running program. Dropping it kills the program.

  wait @0 () -> (exitCode :Int32, signal :Int32);
  # Waits for the end. `exitCode` is the program's own, `signal` the one that ended it: 0 for a normal exit.

  kill @1 () -> ();
  # Kills it and its process group. No effect once it has ended.
}
