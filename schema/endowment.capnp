@0x9b26fd50d44b8e74;
# Messages on a daemon's endowment channel: fd 3, one end of a SOCK_SEQPACKET pair. `initd` has the other end.
#
# A daemon starts with this descriptor and nothing else. Everything that initd grants is one message that says what it
# is, with one descriptor as SCM_RIGHTS (unix(7)). These grants are all the authority of a daemon. End of file on the
# channel is the request to stop.
#
# In the other direction, the daemon sends Reports: that it serves, that a link ended, that it is alive. A Report never
# requests anything.
#
# A bundle has such a channel too, as fd 4; `execd` has the other end (service.capnp). It carries Endowments of the
# kinds serve, use and cut, and Reports of the kinds ready and ended.
#
# Class: blessed (bundles outlive images). One message per packet, at most 4 KiB, one segment. Readers ignore kinds that
# they do not know.

using Go = import "/go.capnp";
$Go.package("endowment");
$Go.import("nexus/capnpgen/endowment");

struct Endowment {
  # initd to daemon: one grant, with its descriptor.

  name @0 :Text;
  # Facet or resource name from the authority table, such as `Verifier` or `system`. For cut: the facet that was
  # revoked, or empty.

  peer @1 :Text;
  # For serve: the client at the other end, set by initd and therefore unforgeable. For use: the provider. Otherwise
  # empty.

  kind @2 :Kind;
  # The type of the descriptor.

  grants @3 :List(Text);
  # For serve: what this client may reach through the facet, if access to the facet is limited by names (ServiceManager:
  # service names; Registrar: the one name; Verifier: the role). For ServiceManager, a name after `!` is excluded even
  # if a pattern includes it. At most 32.

  link @4 :UInt64;
  # For serve and use: initd's number of this link, counted from 1 and the same at both ends. For cut: the link to be
  # ended. Otherwise 0.

  onward @5 :Text;
  # For serve and use, sent to execd: the bundle for which the descriptor is; execd forwards it. Otherwise empty. At
  # most 64 bytes.

  connection @6 :Text;
  # For serve to a client from outside: which of the connections with that role it is, for the audit log. Otherwise
  # empty. At most 256 bytes.

  givenUp @7 :List(Text);
  # For serve to a client from outside: how its Operator was attenuated, step by step. Each step is the methods that were
  # given up, separated by commas. A method is given up once, so there are at most as many steps as methods.

  enum Kind {
    # The type of a descriptor.

    serve @0;
    # A stream socket on which the daemon serves the facet `name` to `peer`, as bootstrap capability.
    use @1;
    # A stream socket at whose other end the facet `name` is served.
    dir @2;
    # A directory.
    file @3;
    # An open file or console.
    setting @4;
    # No descriptor: `grants` holds the value of the policy setting `name`.
    cut @5;
    # No descriptor: the daemon closes the connection of the link `link`, whichever end it has. Unknown numbers are
    # ignored. If `name` is set, that facet was revoked: the daemon no longer waits for it, until it is granted again.
    ping @6;
    # No descriptor: the daemon must answer with a Report `alive`.
    socket @7;
    # A socket that answers a call: a listening one for a bundle that execd is about to start (BundleSockets in
    # powers.capnp), or one on which an operator is served (OperatorGate in operator.capnp). `grants` holds the ticket of
    # the call. Without such a call the daemon closes it.
  }
}

struct Report {
  # Daemon to initd: what initd cannot observe itself.

  kind @0 :Kind;
  # What happened.

  facet @1 :Text;
  # For ended: the facet whose connection ended, as named in its Endowment. Otherwise empty.

  link @2 :UInt64;
  # For ended: the number of the link that ended. Ignored if it is not the newest link of the facet, because that link
  # has been replaced.

  enum Kind {
    # The type of a report.

    unknown @0;
    # A kind that this reader does not know; ignored.
    ready @1;
    # The daemon has what it needs and serves. Sent once.
    ended @2;
    # A link that it uses has ended unexpectedly.
    alive @3;
    # The answer to ping.
  }
}
