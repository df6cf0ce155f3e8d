@0xb9e73f69e778368b;
# What bundles may do beside computing: what `initd` decides by the device's policy, and hands out.
#
# Holders: `updated` and operators hold PowerJudge; operators hold PolicyEditor through Operator; execd alone holds
# BundleSockets.
#
# Class: blessed (the operator's program reads and sets the policy), except BundleSockets. One call or answer is at most
# 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Keystore = import "keystore.capnp";
$Go.package("powers");
$Go.import("nexus/capnpgen/powers");

interface PowerJudge {
  # Read the device's policy and what it decides.

  policy @0 () -> (text :Text, warnings :List(Text));
  # `text` is the policy as it was set, at most 256 KiB; empty: none was set, so no power is granted. `warnings` has one
  # line for each rule that can never grant anything, in the order of the rules, at most 256.

  judge @1 (publisher :Data, bundles :List(Asking)) -> (decisions :List(Decision), refusal :Keystore.Refusal);
  # Decides what the bundles of a set signed by `publisher`, a 32-byte Ed25519 key, would get: one decision for each
  # power that a bundle asks for, in that order. At most 256 bundles of at most 64 powers. No effect. `refusal` is null
  # if everything is granted; otherwise it names all that is not, as `policy-denied`, or as `port-taken` if two bundles
  # ask for the same port.
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

interface BundleSockets {
  # What bundles get by their powers. `initd` opens listening sockets and keeps them open while any bundle of the
  # publication that runs asks for them, so that connections wait in their queues while a program is replaced. It makes
  # folders for state, each with a quota, and keeps them for as long as a bundle may need them.
  #
  # Class: lockstep (only execd holds it).

  open @0 (bundle :Text, publisher :Data, powers :List(Text), ticket :Text, set :Data, user :UInt32)
      -> (refusal :Keystore.Refusal, state :Text);
  # Decides on the powers of `bundle` from a set by `publisher`, as PowerJudge.judge does, and gives execd a listening
  # socket for each `net.listen` among them, in their order: each arrives on the endowment channel, as `socket` with
  # `ticket`. A port that is open already is the same socket as before. `state` is the path of the folder for `state:`
  # among the powers, empty without. `set` is the SHA-256 of the index of the set, and `user` who the program runs as,
  # where `initd` is root. Refused, with nothing opened, as `policy-denied`, as `stale` if state is asked for and
  # another set is to run, or as `io` if the machine does not let a port be opened or a folder be made.

  keep @1 (powers :List(Text)) -> ();
  # Closes all sockets but those for `powers`.
}
