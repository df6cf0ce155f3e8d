// Package nxs reads and writes system sets: a ustar archive that holds a signed index and the bundles that the index
// binds by digest (docs/packaging/system-set.md). The reader takes a stream and trusts nothing in it until the
// signature over the raw index has been verified. The writer is deterministic: the same input gives the same bytes.
// Neither opens files or holds keys.
package nxs
