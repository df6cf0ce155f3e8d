@0xf10932218e564b86;
# Names and capabilities: what `samgrd` serves.
#
# Who holds what: each client has a ServiceManager of its own that knows only the names granted to it; each provider has
# a Registrar bound to its one name; execd has a BundleRegistrar for the names under `bundle/`.
#
# Class: lockstep, but for ServiceManager and its observer, which bundles hold.

using Go = import "/go.capnp";
$Go.package("registry");
$Go.import("nexus/capnpgen/registry");

interface ServiceManager {
  # Look up services by name, among those granted to this client. A name is at most 71 bytes: `bundle/` and a bundle's
  # name.
  #
  # Class: blessed (bundles call it, and outlive images).

  get @0 (name :Text) -> (service :Capability);
  # The service under that name. Refused as `unknown-name` alike for a name that is not granted and one that nobody
  # registered: the caller learns nothing about names it may not use.

  list @1 () -> (names :List(Text));
  # The granted names that are registered now, in byte order.

  watch @2 (name :Text, observer :NameObserver) -> (subscription :NameSubscription);
  # Calls onRegistered now if the name is registered, and each time it is registered again. Dropping the subscription
  # ends it.

  attenuate @3 (names :List(Text)) -> (manager :ServiceManager);
  # A ServiceManager that knows only those of `names` that this one knows. At most 64 names; `bundle/*` stands for all
  # bundles.

  introduce @4 (name :Text) -> (direct :Bool);
  # For clients with an endowment channel: a link of the client's own to whoever stands behind the name. `direct` says
  # that the client is handed it, over its endowment channel, as the facet `service:<name>`; it then outlives samgrd.
  # False where there is none to be had (the client is a bundle that has not reported ready on its channel): get is the
  # way then. A daemon that asks again changes nothing; a bundle that does gets a new link in place of the old, at most
  # 20 a second. Refused as `unknown-name` like get.
}

interface NameObserver {
  # Learns of registrations.
  #
  # Class: blessed (bundles serve it).

  onRegistered @0 (service :Capability) -> ();
  # The service was registered, or registered again after its provider restarted.
}

interface NameSubscription {
  # Holding it keeps the watch alive; dropping it ends it.
  #
  # Class: blessed (bundles hold it).
}

interface Registrar {
  # The right to stand behind one name, fixed when the capability was granted.

  register @0 (service :Capability) -> (registration :Registration);
  # Puts the service under the name, in place of an earlier one. It stays until the registration is dropped or its
  # connection ends.
}

interface Registration {
  # Holding it keeps the name; dropping it removes the name.
}

interface Introducer {
  # The right to say that a client is to be linked with a provider: what `initd` serves to samgrd. It adds no authority:
  # initd links a client only to what the authority table grants it by that name.

  introduce @0 (client :Text, name :Text) -> (direct :Bool);
  # Links the client to the daemon that is bound to the name, unless they are linked; `direct` says that they are now.
  # False, with nothing changed, when the table does not grant the client this very name, or no daemon is bound to it.
}

interface BundleIntroducer {
  # The right to have bundles linked with whom they look up: what `initd` serves to execd, which starts them. It adds no
  # authority: a bundle is linked only with what execd may look up itself.

  introduce @0 (bundle :Text, name :Text) -> (direct :Bool);
  # Links the bundle with whoever stands behind the name, by a link in place of an earlier one. Its end, and the other
  # too where the name is that of a bundle, comes over execd's endowment channel, to be passed on; `direct` says so.
  # False, with nothing changed, when one of the ends is not there now: ask again. Refused as `unknown-name` when execd
  # may not look the name up.
}

interface BundleRegistrar {
  # The right to make registrars for bundles.

  forBundle @0 (bundle :Text) -> (registrar :Registrar);
  # A Registrar bound to `bundle/<name>`. The name follows the bundle name rules.
}
