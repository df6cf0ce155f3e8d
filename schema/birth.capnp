@0x9b26fd50d44b8e74;
# What passes over a daemon's birth channel: fd 3, one end of a SOCK_SEQPACKET pair whose other end `initd` keeps.
#
# A daemon is born with this one descriptor and nothing else. Each message from initd carries exactly one descriptor as SCM_RIGHTS
# (unix(7)) and says what it is. That is the whole of a daemon's authority: what never came over the channel it does not have.
# End of file on the channel is the order to stop.
#
# Class: lockstep (both ends are the same binary). One message per packet, at most 4 KiB, one segment.

using Go = import "/go.capnp";
$Go.package("birth");
$Go.import("nexus/capnpgen/birth");

struct Endowment {
  # initd to daemon: one granted thing, with its descriptor.

  name @0 :Text;
  # Facet or resource name as the authority table has it, e.g. `Verifier`, `system`.

  peer @1 :Text;
  # For serve: the client on the other end, fixed by initd and so unforgeable. For use: the provider. Else empty.

  kind @2 :Kind;
  # What the descriptor is.

  grants @3 :List(Text);
  # For serve: what this client may reach through the facet, where the facet has names to grant (ServiceManager: service names;
  # Registrar: the one name; Verifier: the role). At most 32.

  enum Kind {
    # What a descriptor is good for.

    serve @0;
    # A stream socket on which the daemon serves the facet `name` to `peer` as bootstrap.
    use @1;
    # A stream socket whose other end serves the facet `name`.
    dir @2;
    # A directory.
    file @3;
    # An open file or console.
    setting @4;
    # No descriptor: `grants` holds the value of the policy setting `name`.
  }
}

struct Ready {
  # Daemon to initd, once: it has what it needs and serves.

  protocol @0 :UInt16 = 1;
  # Version of this channel's protocol. Always 1.
}
