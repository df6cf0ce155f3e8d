// Package discovery is a daemon's way to what stands behind a name: how a provider offers a service under its name, and
// how a client finds one. A client that is a daemon gets a link of its own to the provider, so that what it says passes
// through nobody and outlives samgrd. It never decides who may find what: samgrd and initd do
// (docs/architecture/samgrd.md).
package discovery

// Facet is the facet under which the provider of a name serves a client that was introduced to it.
func Facet(name string) string { return "service:" + name }
