// Package nxb implements bundles: the manifest (schema/manifest.capnp), the rules for its name and version, and the
// abilities that say how it runs. It opens no files and verifies nothing: callers verify the bytes of a manifest before
// they parse it.
package nxb
