@0x9b26fd50d44b8e74;
# What passes over a daemon's endowment channel: fd 3, one end of a SOCK_SEQPACKET pair whose other end `initd` keeps.
#
# A daemon starts with this one descriptor and nothing else. Each thing that initd grants is a message with one
# descriptor as SCM_RIGHTS (unix(7)) that says what it is. That is the whole of a daemon's authority: what never came
# over the channel it does not have. End of file on the channel is the order to stop.
#
# The other way pass Reports: that the daemon serves, that a link ended, that it answers. None asks for anything.
#
# A bundle starts with such a channel too, as its fd 4, whose other end `execd` keeps (service.capnp): there pass
# Endowments of the kinds serve, use and cut, and Reports of the kinds ready and ended.
#
# Class: blessed (bundles outlive images). One message per packet, at most 4 KiB, one segment. Kinds that a reader does
# not know it ignores.

using Go = import "/go.capnp";
$Go.package("endowment");
$Go.import("nexus/capnpgen/endowment");

struct Endowment {
  # initd to daemon: one granted thing, with its descriptor.

  name @0 :Text;
  # Facet or resource name as the authority table has it, e.g. `Verifier`, `system`. For cut: the facet that was
  # revoked, or empty.

  peer @1 :Text;
  # For serve: the client on the other end, fixed by initd and so unforgeable. For use: the provider. Else empty.

  kind @2 :Kind;
  # What the descriptor is.

  grants @3 :List(Text);
  # For serve: what this client may reach through the facet, where the facet has names to grant (ServiceManager: service
  # names; Registrar: the one name; Verifier: the role). Of ServiceManager, a name after `!` is not granted, though a
  # pattern may have it. At most 32.

  link @4 :UInt64;
  # For serve and use: initd's number of this link, counted from 1, the same at both ends. For cut: the link that is to
  # end. Else 0.

  onward @5 :Text;
  # For serve and use, to execd: the bundle that the descriptor is for; execd passes it on. Else empty. At most 64
  # bytes.

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
    cut @5;
    # No descriptor: the daemon closes the connection of the link `link`, at whichever end it is. Unknown numbers are
    # ignored. With a `name`, that facet was revoked: the daemon waits for it no longer, until it is granted again.
    ping @6;
    # No descriptor: the daemon answers with a Report `alive`.
    handed @7;
    # A file that somebody outside handed over, open for reading; `grants` holds the ticket it came with, in hex. `name`
    # says what it is good for. Nobody vouches for it; one that the daemon did not ask for is closed.
  }
}

struct Report {
  # Daemon to initd: what initd cannot see by itself.

  kind @0 :Kind;
  # What happened.

  facet @1 :Text;
  # For ended: the facet whose connection ended, as its Endowment named it. Else empty.

  link @2 :UInt64;
  # For ended: the number of the link that ended. A link that is not the facet's newest is ignored: another has taken
  # its place.

  enum Kind {
    # What a daemon reports.

    unknown @0;
    # Nothing that this reader knows; ignored.
    ready @1;
    # It has what it needs and serves. Said once.
    ended @2;
    # A link that it uses has ended, though it did not mean it to.
    alive @3;
    # The answer to a ping.
  }
}
