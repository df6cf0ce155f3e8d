// Package machine is what only a first process does: it mounts file systems and the state disk, arms and pets the
// watchdog, keeps the mark by which the next boot knows why this one ended, powers the machine off, and executes the
// next core in its own place.
//
// It knows no daemon, no link and no table. What it runs, and whether that makes progress, it is told.
package machine
