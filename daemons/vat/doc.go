// Package vat is the Cap'n Proto plumbing that all daemons share: how a process starts with one channel, how the
// capabilities granted to it arrive over that channel, how it serves its own, and what a connection may cost. It knows
// nothing of the domain: no slots, bundles or updates.
//
// A daemon holds exactly what it received over its endowment channel (schema/endowment.capnp). Each granted facet is a
// socket of its own between client and provider. Calls between two daemons therefore pass through neither PID 1 nor the
// registry, and the client's name is the one that initd set when it made the socket pair. When a provider restarts,
// initd sends the client a new socket under the same facet; a client that still holds the old capability gets
// `disconnected`, asks its Holding again, and goes on. A link that breaks while both daemons run is reported to initd
// by its number, and initd makes it again.
package vat
