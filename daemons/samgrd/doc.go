// Package samgrd owns the names: which capability is registered under each, and which clients may ask for it. It knows
// nothing of what a service does, and it does not start, stop or restart anything.
//
// Each client asks through its own ServiceManager, and each provider registers through a Registrar for its own name.
// initd fixed both when it made the connection (schema/registry.capnp).
package samgrd
