@0xfd7ea038248f3f0d;
# Votes on health: what `initd` serves to those whose word it waits for before it commits.
#
# Who holds it: the selftest, when the system was started with one. Class: lockstep.

using Go = import "/go.capnp";
$Go.package("vote");
$Go.import("nexus/capnpgen/vote");

interface HealthVote {
  # One voice in the verdict on the current boot attempt.

  cast @0 (boot :UInt64, healthy :Bool, detail :Text) -> ();
  # The voter's word on the attempt `boot`: `healthy` or not, with a line of detail for people. The last one before the
  # verdict counts; a vote on another attempt has no effect. A voter whose connection ends has voted no.

  done @1 (passed :Bool) -> ();
  # The voter has finished its work for good; the system may stop with this outcome: `passed`, or else failed.
}
