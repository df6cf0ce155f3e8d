// Package samgrd owns the names: which capability stands behind each, and who may ask for which. It never learns what a
// service does, and it starts, stops and restarts nothing.
//
// A client asks through a ServiceManager of its own, a provider speaks through a Registrar bound to its one name, and
// both bounds were fixed by initd when it made the connection (schema/registry.capnp).
package samgrd
