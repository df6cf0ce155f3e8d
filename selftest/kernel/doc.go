// Package kernel provides what a guest needs that Nexus does not build: the emulator, and a Debian kernel with its
// modules, unpacked into a cache folder. apt verifies what it fetches with Debian's signatures, using our own sources
// file. The host's package lists, sources and packages of its own architecture are not changed.
package kernel
