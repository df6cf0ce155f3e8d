// Package execd runs the bundles of the published slot: each service as a process of its own with an environment of
// three variables, a log of its own and, on fd 3, a ServiceManager of its own. It loads a payload into sealed memory,
// checks it there against the signed digest, and executes that memory: no byte is read again after it was checked.
//
// It decides nothing about slots. When something else is published it stops what ran and runs that; it tells initd how
// the services are (schema/exec.capnp) and leaves the verdict to it.
package execd
