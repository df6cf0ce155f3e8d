// Package bootctl owns the A/B state machine: which slot is confirmed, which is on trial, how many tries are left, what
// is quarantined. It is a pure value: it does no I/O, reads no clock and starts nothing. The owner of the record makes
// each new value durable before acting on it.
//
// It guarantees that an unconfirmed slot does not outlive its tries, and that a set which was rolled back does not come
// back by itself. docs/updates/ab-skeleton-v1.md tells the whole story.
package bootctl
