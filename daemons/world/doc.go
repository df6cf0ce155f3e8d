// Package world is the whole system in one process, for tests: the daemons' own code over real sockets and a real
// folder, with a clock that tests wind and programs that are goroutines. It may import every daemon, which nothing else
// may.
package world
