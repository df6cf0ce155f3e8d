@0xd55ca6d81cc0a8ab;
# What a native service bundle exports on fd 3, and what it finds there.
#
# fd 3 is one end of a stream socket that speaks Cap'n Proto RPC. The bundle's bootstrap is a Service; execd's bootstrap is the bundle's
# own ServiceManager (registry.capnp), attenuated to what its manifest asks for and the authority table allows. A plain service never
# touches fd 3.
# Class: blessed (bundles outlive images). One answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("service");
$Go.import("nexus/capnpgen/service");

interface Service {
  # A running service, asked about itself.

  version @0 () -> (version :Text);
  # The version of the running program, SemVer. Must be the one its manifest names.

  health @1 () -> (health :Health, detail :Text);
  # Whether it can do its work now. `detail`: one line for people.
}

enum Health {
  # What a service says of itself.

  unspecified @0;
  # Not said; counts as starting.
  starting @1;
  # Not yet able to work; ask again.
  ok @2;
  # Able to work.
  failing @3;
  # Not able to work, and waiting will not help.
}
