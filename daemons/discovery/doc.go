// Package discovery registers and finds services by name. A client that is a daemon gets a link of its own to the
// provider, so that its calls pass through no other process and survive the end of samgrd. Who may find what is decided
// by samgrd and initd, not here (docs/architecture/samgrd.md).
package discovery

// Facet returns the facet under which the provider of a name serves a client that was linked to it.
func Facet(name string) string { return "service:" + name }
