// Package digest computes the SHA-256 of many streams in parallel, on all cores and in bounded memory, and can copy
// them at the same time. The bytes that are hashed are the bytes that are written: both are read from the same buffer.
// The package opens no files, relies on no lengths but those it is given, and knows no formats.
package digest
