// Package soak runs a real system through update cycles, with sets that are good, broken and to be refused, and kills
// -9 what it likes at moments that a seed chooses: a daemon, the operator's command, a service, initd, or everything.
// Some daemons it stops instead (SIGSTOP), for the liveness check to find. After every cycle it compares the system's
// state, its slots byte by byte, what runs, the journal, and what is left over on the disk and among processes with the
// promise.
//
// It looks from outside only: through `nx`, the folder and /proc. It never asks the system's code what is right. It
// contains only tests.
//
//	go test ./selftest/soak -run TestSoak/keeps -v -timeout 0 -args -cycles 1000 -seed 1
package soak
