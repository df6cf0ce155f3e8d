// Package updated serves the engines of updates, that of the system and one for each package of apps
// (libupdates/updater, libupdates/apps), by the interfaces of schema/update.capnp. Each server decodes a call, calls
// the engine, and puts the outcome on the wire; the ports of the engine are calls to other daemons.
//
// It decides nothing about updates. It holds no key (keystored verifies), starts nothing (execd does) and publishes
// nothing by itself (bundlemgrd does, when told).
package updated
