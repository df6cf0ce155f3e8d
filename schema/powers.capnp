@0xb9e73f69e778368b;
# What bundles may do beside computing: what `initd` decides by the device's policy, and hands out.
#
# Holders: `updated` and operators hold PowerJudge; operators hold PolicyEditor through Operator; execd alone holds
# BundleSockets.
#
# Class: blessed (the operator's program reads and sets the policy), except BundleSockets. One call or answer is at most
# 4 MiB (daemons/vat).

using Bundle = import "bundle.capnp";
using Go = import "/go.capnp";
using Keystore = import "keystore.capnp";
$Go.package("powers");
$Go.import("nexus/capnpgen/powers");

interface PowerJudge {
  # Read the device's policy and what it decides.

  policy @0 () -> (text :Text, warnings :List(Text));
  # `text` is the policy as it was set, at most 256 KiB; empty: none was set, so no power is granted. `warnings` has one
  # line for each rule that can never grant anything, in the order of the rules, at most 256.

  judge @1 (publisher :Data, bundles :List(Asking), older :Bool) -> (decisions :List(Decision),
    refusal :Keystore.Refusal);
  # Decides what the bundles of a set signed by `publisher`, a 32-byte Ed25519 key, would get: one decision for each
  # power that a bundle asks for, in that order. At most 256 bundles of at most 64 powers. No effect. `refusal` is null
  # if everything is granted; otherwise it names all that is not, as `policy-denied`, or as `port-taken` if two bundles
  # ask for the same port. With `older` the bundles are apps that would go down to the versions of this set: that is
  # refused as `policy-denied` unless a rule allows it for each.
}

struct Asking {
  # The powers that one bundle asks for.

  bundle @0 :Text;
  # Bundle name.
  powers @1 :List(Text);
  # As in the index (BundleEntry.powers in systemset.capnp).
}

struct Decision {
  # What was decided on one power of one bundle.

  bundle @0 :Text;
  # Bundle name.
  power @1 :Text;
  # As it was asked for.
  granted @2 :Bool;
  # Whether the bundle gets it; false: it does not. There is no third state.
  line @3 :UInt32;
  # The line of the policy at which the rule begins that grants it; 0 if none does.
  detail @4 :Text;
  # Why it is not granted, one line for people; empty if it is.
  note @5 :Text;
  # What of a granted power this machine cannot bound, one line for people; empty: nothing.
}

interface PolicyEditor {
  # Changes the policy of the device.

  set @0 (text :Text) -> (kept :Bool, warnings :List(Text), refusal :Keystore.Refusal);
  # Replaces the whole policy by `text`, TOML of at most 256 KiB (docs/policy.md), durably once the call has returned.
  # It counts for sets that are staged and programs that are started afterwards; programs that run keep what they have.
  # An empty text removes the policy. `kept` says whether the change survives a reboot; false: a machine without a
  # state disk forgets it. `warnings` is as for PowerJudge.policy. Writes one audit record. Refused as `bad-policy`,
  # with nothing changed, with the line of the first error.
}

interface StateKeeper {
  # The state of bundles, for those who look after the device.

  list @0 () -> (bundles :List(BundleState));
  # What bundles keep, in byte order of their names; at most 4096 of them.

  export @1 (bundle :Text) -> (archive :Bundle.Blob, refusal :Keystore.Refusal);
  # The state of `bundle` as a tar archive. A program that runs may write meanwhile; each file is as it was at some
  # moment. The blob's `sha256` is zero. Refused as `unknown-bundle` if it keeps none.

  import @2 (bundle :Text) -> (sink :StateSink, refusal :Keystore.Refusal);
  # Replaces the state of `bundle` by what an archive holds, from the next start of its program on. One import at a
  # time. Refused as `unknown-bundle` if its program has not been started with state since the system was, and as
  # `trial-in-progress` while a slot is on trial. Writes one audit record once it is over.
}

interface StateSink {
  # Takes an archive, a piece at a time. Dropping it before done() changes nothing.

  write @0 (bytes :Data) -> ();
  # The next bytes, at most 1 MiB. Fails once the archive has been refused; done() then returns why.

  done @1 () -> (refusal :Keystore.Refusal);
  # The end of the archive. Without a refusal, the new state is complete and durable. Refused, with nothing changed, as
  # `bad-archive` if it is not a tar archive of files, folders and links whose names stay inside, or has too many, as
  # `no-space` if it exceeds the quota, and as `trial-in-progress` as above.
}

struct BundleState {
  # What one bundle keeps.

  bundle @0 :Text;
  # Bundle name.
  sizeBytes @1 :UInt64;
  # What it takes of the disk, in bytes.
  quotaBytes @2 :UInt64;
  # Its quota; 0 if its program has not been started since the system was.
  kept @3 :UInt32;
  # How many earlier states are kept beside it, for a rollback.
  bounded @4 :Bool;
  # Whether the quota holds; false: this machine cannot hold a program to it.
}

interface BundleSockets {
  # What bundles get by their powers. `initd` opens listening sockets and keeps them open while any bundle of the
  # publication that runs asks for them, so that connections wait in their queues while a program is replaced. It makes
  # folders for state, each with a quota, and keeps them for as long as a bundle may need them.
  #
  # Class: lockstep (only execd holds it).

  open @0 (bundle :Text, publisher :Data, powers :List(Text), ticket :Text, set :Data, user :UInt32)
      -> (refusal :Keystore.Refusal, state :Text, trees :Text);
  # Decides on the powers of `bundle` from a set by `publisher`, as PowerJudge.judge does, and gives execd a listening
  # socket for each `net.listen` among them, in their order: each arrives on the endowment channel, as `socket` with
  # `ticket`, and so does a device for each `device:` behind them. A port that is open already is the same socket as
  # before. `state` is the path of the folder for `state:` among the powers, empty without. `trees` is the path at which
  # programs find what execd unpacks into its directory `trees`, empty without `data:` among the powers. `set` is the
  # SHA-256 of the index of the set, and `user` who the program runs as, where `initd` is root. Refused, with nothing
  # opened, as `policy-denied`, as `stale` if state is asked for and another set is to run, or as `io` if the machine
  # does not let a port be opened or a folder be made.

  keep @1 (powers :List(Text)) -> ();
  # Closes all sockets but those for `powers`.

  holds @2 (bundle :Text, publisher :Data, powers :List(Text), set :Data, user :UInt32) -> (same :Bool);
  # `same` says whether `open` with this `publisher`, `powers`, `set` and `user` would give a program what the last
  # `open` for `bundle` gave it. If not, a program that runs has to be started again to get what it is due: the policy or
  # the state has changed meanwhile. No effect.
}
