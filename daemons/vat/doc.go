// Package vat is the Cap'n Proto plumbing of every daemon: how a process starts with one channel, how the capabilities
// it was granted arrive over it, how it serves its own, and what a connection may cost. It knows no domain: no slot, no
// bundle, no update.
//
// A daemon holds exactly what came over its endowment channel (schema/endowment.capnp). Each granted facet is a socket
// of its own between client and provider, so calls between two daemons pass through neither PID 1 nor the registry, and
// the client's name is what initd wrote when it made the pair. When a provider restarts, initd sends the client a fresh
// socket under the same facet; whoever held the old capability gets `disconnected`, asks its Holding again, and goes
// on. A link that ends while both its daemons live is reported to initd by its number, and made again.
package vat
