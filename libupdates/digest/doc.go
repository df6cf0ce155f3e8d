// Package digest computes digests of many streams in parallel, on all cores and in bounded memory, and can copy them at
// the same time: SHA-256, and the fs-verity digest, which the kernel can check, too, and which is made of parts of one
// stream in parallel. The bytes that are hashed are the bytes that are written: both are read from the same buffer. The
// package opens no files, relies on no lengths but those it is given, and knows no formats.
package digest
