// Package delta makes and applies patches: what turns one payload into another (docs/packaging/delta.md).
//
// Both halves share a model of the old payload. If that is a program, they know which of its bytes refer to other
// parts of it, and so can predict how these bytes change when the parts move. A patch says which parts are where, and
// corrects what the prediction gets wrong. The applier needs the old payload, by random access, and little memory
// however large the payloads are; it writes the new payload front to back.
//
// A patch is a chain of blocks. Each names the size and the digest of the next, and who applies it knows those of the
// first from something signed. So no byte of a patch is interpreted before it has been verified, and a patch need not
// be stored to be applied.
package delta
