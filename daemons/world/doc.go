// Package world runs the whole system in one process, for tests: the real code of the daemons, over real sockets and a
// real folder, with a clock that the test winds and with goroutines as programs. Unlike all other packages, it may
// import every daemon.
package world
