@0xd22f467a028bf592;
# Fetching: what `fetchd` serves. It brings sets from a registry to `updated`, and is the only daemon that connects to
# other machines. It holds UpdateStage and nothing that switches: a fetchd that was taken over can bring sets that
# nobody signed, and they are refused.
#
# Holders: Fetcher: clients that may stage sets. AppFetcher: clients that may install apps.
#
# Class: blessed (the operator's program calls it). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
using Keystore = import "keystore.capnp";
using Update = import "update.capnp";
$Go.package("fetch");
$Go.import("nexus/capnpgen/fetch");

interface Fetcher {
  # Fetch sets from a registry.

  fetch @0 (reference :Text, progress :Update.StageProgress) -> (staged :Update.StagedInfo, reusedBytes :UInt64,
    fetchedBytes :UInt64, refusal :Keystore.Refusal, patchedBytes :UInt64, unpatched :List(Unpatched));
  # Fetches the set at `reference`, oci://HOST[:PORT]/NAME:TAG or NAME@sha256:DIGEST, and stages it; at most 1024 bytes.
  # What the device has of its payloads is not fetched: see StageSink.reuse. Once the registry has named the set, a
  # fault that may pass is no reason to give up: the fetch goes on where it was, after pauses of at most a minute, until
  # ten attempts in a row have brought next to nothing. `progress` may be null; an interruption sets it back to where
  # the fetch goes on. `staged` waits for a client that may switch. `reusedBytes`: see Progress; `fetchedBytes`: bytes
  # of the set, and of deltas, that came from the registry. For each payload the smallest way is chosen: what the device
  # has is not fetched, or a patch of a delta that the registry has beside the set, or the content. `patchedBytes`:
  # bytes of payloads that patches made; `unpatched`: payloads that were fetched although deltas have patches for them.
  # Dropping the call ends the fetch, and what came is kept for the next of the same set. Refused as `bad-reference`; as
  # `stage-in-progress` while another fetch is running; as UpdateStage.stage and StageSink.done refuse; or for the
  # registry's fault, as `bad-registry`, `not-a-set`, `not-in-registry`, `registry-denied`, `registry-unavailable`,
  # `untrusted-registry` or `stalled`.
}

interface AppFetcher {
  # Fetch sets of apps from a registry.

  fetch @0 (reference :Text, progress :Update.StageProgress, upgrade :Bool, older :Bool) -> (app :Text,
    staged :Update.StagedInfo, reusedBytes :UInt64, fetchedBytes :UInt64, refusal :Keystore.Refusal,
    patchedBytes :UInt64, unpatched :List(Unpatched));
  # Fetches the set at `reference` and stages it like Fetcher.fetch, for the package of apps that it is. `app` is the
  # package: AppInstaller.open returns what can switch to the set. `progress`, `reusedBytes`, `fetchedBytes` and
  # `patchedBytes` are those of Fetcher.fetch. Refused as UpdateStage.app refuses `upgrade` and `older`, and as AppInstaller.open refuses
  # sets; as `not-granted` if this AppFetcher was made without that name.
}

struct Unpatched {
  # A payload that was fetched although deltas of the set have patches for it.

  bundle @0 :Text;
  # Its bundle.
  refusal @1 :Keystore.Refusal;
  # Why no patch was used: `missing-base`, or another fault of the last delta that was tried.
}
