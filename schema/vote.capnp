@0xfd7ea038248f3f0d;
# Votes on health: what `initd` serves to voters, whose votes it awaits before it commits.
#
# Holders: the selftest, if the system was started with one. Class: lockstep.

using Go = import "/go.capnp";
$Go.package("vote");
$Go.import("nexus/capnpgen/vote");

interface HealthVote {
  # One vote on the current boot attempt.

  cast @0 (boot :UInt64, healthy :Bool, detail :Text) -> ();
  # The vote on the attempt `boot`: `healthy` or not, with a line of detail for people. The last vote before the verdict
  # counts; a vote on another attempt has no effect. If a voter's connection ends, that is a vote against.

  done @1 (passed :Bool) -> ();
  # The voter has finished its work and the system may stop, with this outcome: `passed`, or else failed.
}
