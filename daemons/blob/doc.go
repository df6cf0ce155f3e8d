// Package blob is both ends of a Blob (schema/bundle.capnp): it serves one file of a slot, and it brings a program from
// the other end into sealed memory, where it is checked and from where it runs.
//
// It decides nothing about what may be opened, and it believes nothing that comes from the other end: whoever loads
// says which digest is right.
package blob
