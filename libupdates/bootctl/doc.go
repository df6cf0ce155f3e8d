// Package bootctl owns the A/B state machine: which slot is confirmed, which is on trial, how many tries are left, what
// is quarantined. It is a pure value: it never does I/O, reads no clock and starts nothing. Whoever owns the record
// makes each new value durable before acting on it.
//
// The promise it carries: an unconfirmed slot does not outlive its tries, and a set that was rolled back does not come
// back by itself. docs/updates/ab-skeleton-v1.md tells the whole story.
package bootctl
