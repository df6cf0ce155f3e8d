// Package updated is the owner of updates: the one writer of the standby slot and of the boot record. It serves
// UpdateStatus, Updated with its StageSink and StagedSystem, UpdateRecovery and HealthGate (schema/update.capnp).
//
// It holds no key (keystored verifies), starts nothing (execd does) and publishes nothing by itself (bundlemgrd does,
// when told). What it decides it decides by libupdates/bootctl; this package carries decisions to disk, in order: image
// durable before record durable, record durable before anything acts on it.
package updated
