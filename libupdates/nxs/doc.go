// Package nxs reads and writes system sets: one ustar archive that holds a signed index and the bundles the index binds
// by digest (docs/packaging/system-set.md). The reader takes a stream and trusts nothing in it before the signature
// over the raw index has passed; the writer makes the same bytes from the same input. Neither opens a file, and neither
// holds a key.
package nxs
