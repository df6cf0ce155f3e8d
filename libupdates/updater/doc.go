// Package updater is the engine of updates: the one writer of the two slots and of the boot record. It takes a set in,
// puts it on trial, counts the attempts of a boot, takes the verdicts, finds damage and goes back. What each step means
// is decided by package bootctl; the engine carries the decisions to disk, in order: image durable before record
// durable, record durable before anything acts on it.
//
// The engine reaches the world through the ports of a Config: it holds no key, publishes nothing by itself, and knows
// neither the wire nor who calls. The daemon updated serves it. ExampleEngine is an update from its stage to a
// rollback.
package updater
