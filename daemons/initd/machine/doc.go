// Package machine does what only a first process must: it mounts file systems and the state disk, arms and pets the
// watchdog, keeps the mark from which the next boot knows why this one ended, powers the machine off, and executes the
// next core in its place.
//
// It knows no daemons, links or table. It is told what to run, and whether that makes progress.
package machine
