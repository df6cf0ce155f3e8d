// Package statedisk identifies a disk for a system's state by its bytes, before it is mounted: it is ours, new, damaged
// or foreign. It turns a new disk into one of ours and never writes to any other.
//
// A disk is ours if it is an ext4 file system, from the first byte on, with the volume label Label. A new disk becomes
// ours by copying a template of 16 MiB, which the kernel then grows to the size of the disk. The template has fixed ids
// and times, so even an incomplete copy can be recognised: a disk on which every sector is either zero or that of the
// template is still new. The superblock is written last, after everything else is durable. So after a power cut at any
// moment, the disk is new or ours.
package statedisk
