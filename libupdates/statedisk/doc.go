// Package statedisk knows a disk for a system's state by its bytes, before anything is mounted: whether it is ours,
// new, damaged or somebody else's. It makes a new one ours and never writes to any other.
//
// Ours is a disk that is an ext4 file system, from its first byte on, with the volume label Label. A new disk becomes
// one by a copy of a template of 16 MiB, which the kernel then grows to the size of the disk. The template has fixed
// ids and times, so the copy can be told from everything else also while it is half done: a disk of which each sector
// is either zero or the template's is still new. The superblock is written last, once all else is durable. So a cut at
// any moment leaves a new disk or ours.
package statedisk
