// Package updateclient is a client of updated: it sends archives and reads what updated returns. It knows the
// interfaces of schema/update.capnp, and shows nothing to anybody.
package updateclient
