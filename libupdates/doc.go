// Package libupdates is the domain of Nexus: what an update is, without a wire, a process or a log. It has no code of
// its own; this page is the map of the packages below it.
//
// The promise: cut the power anywhere, and the next start is wholly the old system or wholly the new one. What was not
// verified never runs. What was not confirmed healthy does not outlive its tries.
//
// Read updater.ExampleEngine first: an update from its stage to a rollback, on one screen. Then from top to bottom; a
// package uses only packages that stand below it.
//
//	apps        the apps of a device: one engine for each package, and what they have to agree on
//	updater     the engine: carries out each step of an update, in an order in which every cut is safe
//	slots       the two slots on disk: stage, verify, empty, open
//	bootctl     the boot record and the A/B state machine: a pure value, and its bytes
//	health      the verdict on a boot attempt: a pure value, events in, actions out
//	switchover  which services go on over a switch, and which start: a pure function
//	bundlestate the state of bundles: which generation of it belongs to which version
//	statefs     values that survive a reboot, in a state folder
//	statedisk   whether a disk is ours, new, or foreign
//	nxs         system sets and deltas: the archive, its signed index, reader and writer
//	delta       patches between payloads, which know how programs change when their parts move
//	roots       root documents: which keys may sign what, and how that changes
//	policy      which powers the bundles of a set get on a device: a pure function
//	nxb         bundles: manifest, name, what they may ask for
//	powers      what a bundle may ask for beside names: a small grammar
//	bundlename  names of bundles
//	tree        a folder as the payload of a data bundle: packed, and unpacked where no name leads out
//	durable     files that survive a power cut; durabletest cuts the power at every operation
//	audit       the chain of audit records, and where one does not hold
//	trust       keys, signatures, and which keys count
//	digest      SHA-256 and fs-verity digests of many streams at once, while they are copied
//	message     Cap'n Proto messages from outside: their bounds, and the canonical form
//	semver      versions and their order
//	refusal     why something was refused: the stable reasons
//
// Golden keeps what released versions wrote, and updatestest makes archives and damage for tests.
//
// The daemons adapt this to processes: daemons/updated serves the engine, daemons/initd carries out what health says,
// daemons/bundlemgrd opens slots. No package here may import RPC, logging, os/exec or x/sys (house_test.go).
package libupdates
