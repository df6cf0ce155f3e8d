@0xf10932218e564b86;
# Names and capabilities: what `samgrd` serves.
#
# Holders: each client has its own ServiceManager, which knows only the names granted to it; each provider has a
# Registrar for its one name; execd has a BundleRegistrar for the names under `bundle/`.
#
# Class: lockstep, except ServiceManager and its observer, which bundles hold.

using Go = import "/go.capnp";
$Go.package("registry");
$Go.import("nexus/capnpgen/registry");

interface ServiceManager {
  # Look up services by name, among those granted to this client. A name is at most 71 bytes: `bundle/` and a bundle's
  # name.
  #
  # Class: blessed (bundles call it, and outlive images).

  get @0 (name :Text) -> (service :Capability);
  # The service with that name. Refused as `unknown-name`, both for a name that is not granted and for one that is not
  # registered, so that the caller learns nothing about names it may not use.

  list @1 () -> (names :List(Text));
  # The granted names that are registered at present, in byte order.

  watch @2 (name :Text, observer :NameObserver) -> (subscription :NameSubscription);
  # Calls onRegistered at once if the name is registered, and each time it is registered again. Dropping the
  # subscription ends it.

  attenuate @3 (names :List(Text)) -> (manager :ServiceManager);
  # A ServiceManager for only those of `names` that this one knows. At most 64 names; `bundle/*` stands for all bundles.

  introduce @4 (name :Text) -> (direct :Bool);
  # For clients with an endowment channel: requests a direct link from the client to the provider of the name. If
  # `direct` is true, the client receives it on its endowment channel as the facet `service:<name>`; the link does not
  # depend on samgrd. If false, there is no link (the client is a bundle that has not reported ready on its channel);
  # use get instead. A daemon that asks again gets no second link; a bundle that asks again gets a new link in place of
  # the old one, at most 20 per second. Refused as `unknown-name`, like get.
}

interface NameObserver {
  # Receives notice of registrations.
  #
  # Class: blessed (bundles serve it).

  onRegistered @0 (service :Capability) -> ();
  # The service was registered, or registered again after its provider restarted.
}

interface NameSubscription {
  # Keeps a watch. Dropping it ends the watch.
  #
  # Class: blessed (bundles hold it).
}

interface Registrar {
  # The right to provide one name, fixed when the capability was granted.

  register @0 (service :Capability) -> (registration :Registration);
  # Registers the service under the name, replacing an earlier one. It stays registered until the registration is
  # dropped or its connection ends.
}

interface Registration {
  # Keeps a registration. Dropping it removes the name.
}

interface Introducer {
  # The right to request a link between a client and a provider: what `initd` serves to samgrd. It adds no authority:
  # initd links a client only to what the authority table grants it under that name.

  introduce @0 (client :Text, name :Text) -> (direct :Bool);
  # Links the client to the daemon that provides the name, unless they are linked already. `direct` is true if they are
  # linked now. It is false, without effect, if the table does not grant the client this name, or if no daemon provides
  # it.
}

interface BundleIntroducer {
  # The right to request links from bundles to what they look up: what `initd` serves to execd, which starts the
  # bundles. It adds no authority: a bundle is linked only to what execd may look up itself.

  introduce @0 (bundle :Text, name :Text) -> (direct :Bool);
  # Links the bundle to the provider of the name, replacing an earlier link. The bundle's end arrives on execd's
  # endowment channel and is forwarded by execd; so does the other end if the name is that of a bundle. `direct` is true
  # then. It is false, without effect, if one of the two is not running at present; ask again then. Refused as
  # `unknown-name` if execd may not look up the name.

  resume @1 (links :List(UInt64)) -> ();
  # Makes these links again, which a program of a bundle served that has ended: another one serves in its place. Their
  # holders find it where they had the one before. A link that its holder has lost or replaced meanwhile is left out. At
  # most 4096 `links`.
}

interface BundleRegistrar {
  # The right to make registrars for bundles.

  forBundle @0 (bundle :Text) -> (registrar :Registrar);
  # A Registrar bound to `bundle/<name>`. The name follows the bundle name rules.
}
