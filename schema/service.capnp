@0xd55ca6d81cc0a8ab;
# What a native service bundle exports on fd 3, and what it finds there and on fd 4.
#
# fd 3 is one end of a stream socket that speaks Cap'n Proto RPC. The bundle's bootstrap is a Service; execd's bootstrap
# is the bundle's own ServiceManager (registry.capnp), attenuated to what its manifest asks for and the authority table
# allows. A plain service never touches fd 3.
#
# fd 4 is one end of a SOCK_SEQPACKET pair, the bundle's endowment channel (endowment.capnp), for links: stream sockets
# of the bundle's own that speak Cap'n Proto RPC with one other process each. A bundle may leave it alone. One that
# reads it says so by a Report `ready`; from then on
#   - each `introduce(name)` on its ServiceManager that answers `direct` brings an Endowment `use` with the facet
#     `service:<name>`: a socket whose other end serves what the name stands for, with nobody in between. When the link
#     ends, and its calls fail as disconnected, the bundle asks again.
#   - each client that looks the bundle up brings an Endowment `serve` with the facet `service:bundle/<the bundle's
#     name>`: a socket on which the bundle serves its Service, to the client of that name.
# An Endowment `cut` says that the link is revoked: the bundle closes its end. For a bundle that has not said ready
# execd serves in its place, by fd 3, and `get` on its ServiceManager is the way to what it looks up: those calls pass
# through execd.
#
# Class: blessed (bundles outlive images). One answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("service");
$Go.import("nexus/capnpgen/service");

interface Service {
  # A running service, asked about itself.

  version @0 () -> (version :Text);
  # The version of the running program, SemVer. Must be the one its manifest names.

  health @1 () -> (health :Health, detail :Text);
  # Whether it can do its work now. `detail`: one line for people. Asked as long as the service runs, about once a
  # second once it was healthy; one call at a time. Without an answer for ten seconds it counts as unhealthy until it
  # answers.
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
