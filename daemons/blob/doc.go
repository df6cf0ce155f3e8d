// Package blob implements both ends of a Blob (schema/bundle.capnp): it serves one file of a slot, and it loads a
// program from the other end into sealed memory, where it is checked and from where it runs.
//
// It does not decide what may be opened, and it trusts nothing that it receives: the caller of Load supplies the
// expected digest.
package blob
