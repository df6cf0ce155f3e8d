// Package execd runs the bundles of the published slot and of apps: each service as a confined process of its own, with
// the sockets, files and state that its powers grant it, a log of its own, and a ServiceManager of its own.
//
// It executes only bytes that were checked against the signed digest: sealed memory into which it has copied a payload,
// or a file that the kernel verifies at every read.
//
// It decides nothing about slots. When something else is published, it ends and starts what that changes
// (libupdates/switchover); it tells initd how the services are (schema/exec.capnp) and leaves the verdict to it.
package execd
