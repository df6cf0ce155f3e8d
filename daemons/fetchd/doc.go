// Package fetchd is the daemon that fetches sets from registries (schema/fetch.capnp), by package oci. It is the only
// one that connects to other machines, so it holds nothing worth taking over: it can bring sets to updated, which takes
// those that are signed, and it can switch to none. Nothing that it fetches stays here. What the device has of a set,
// also after an interruption, updated knows: fetchd asks for it payload by payload, and fetches the rest.
package fetchd
