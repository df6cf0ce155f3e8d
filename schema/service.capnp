@0xd55ca6d81cc0a8ab;
# What a native service bundle exports on fd 3, and what it receives there and on fd 4.
#
# fd 3 is one end of a stream socket for Cap'n Proto RPC. The bundle's bootstrap capability is a Service. That of execd
# is the bundle's ServiceManager (registry.capnp), attenuated to what the manifest asks for and the authority table
# allows. A plain service does not use fd 3.
#
# fd 4 is one end of a SOCK_SEQPACKET pair: the bundle's endowment channel (endowment.capnp), for direct links. A link
# is a stream socket for Cap'n Proto RPC with one other process. The channel is optional. A bundle that uses it sends a
# Report `ready`. After that,
#   - each `introduce(name)` on its ServiceManager that answers `direct` results in an Endowment `use` with the facet
#     `service:<name>`: a socket at whose other end the provider of the name serves directly. When the link ends, calls
#     fail as disconnected, and the bundle must ask again.
#   - each client that looks up the bundle results in an Endowment `serve` with the facet `service:bundle/<the bundle's
#     name>`: a socket on which the bundle serves its Service to the client of that name.
# An Endowment `cut` means that the link was revoked; the bundle closes its end. For a bundle that has not sent ready,
# execd serves in its place through fd 3, and the bundle uses `get` on its ServiceManager; those calls pass through
# execd.
#
# Class: blessed (bundles outlive images). One answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("service");
$Go.import("nexus/capnpgen/service");

interface Service {
  # A running service.

  version @0 () -> (version :Text);
  # The version of the running program, SemVer. It must be the one in the manifest.

  health @1 () -> (health :Health, detail :Text);
  # Whether it can do its work at present, or not. `detail`: one line for people, of which 256 bytes are kept. Called
  # as long as the service runs, about once a second after it was healthy for the first time, and one call at a time. If
  # there is no answer for ten seconds, the service counts as unhealthy until it answers.
}

enum Health {
  # A service's health as it reports it.

  unspecified @0;
  # Not set; counts as starting.
  starting @1;
  # Cannot work yet; ask again.
  ok @2;
  # Can work.
  failing @3;
  # Cannot work, and waiting will not help.
}
