// Package kernel gets what a guest needs that Nexus does not build: the emulator, and a Debian kernel with the modules
// it needs, unpacked into a cache folder. apt verifies what it fetches by Debian's own signatures, out of a sources
// file of ours: the host's own lists, sources and packages for its own architecture stay as they are.
package kernel
