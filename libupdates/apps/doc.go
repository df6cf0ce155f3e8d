// Package apps holds the apps of a device: bundles that are installed, upgraded and uninstalled beside the system set.
//
// The set that brings apps is a package, named after its first bundle. Each package is a slot pair of its own, with
// the engine, the slots and the record that the system has: it is staged, tried, committed or rolled back by the same
// code, in apps/<name>/. So several apps in one set come, go and change together. What this package adds is what slot
// machines have to know of one another: who holds which name, and when one must not be disturbed.
package apps
