// Package nxb is one bundle: its manifest (schema/manifest.capnp), the rules for its name and version, and what its
// abilities say it runs as. It opens no files and checks no signature; whoever parses a manifest has verified the bytes
// first.
package nxb
