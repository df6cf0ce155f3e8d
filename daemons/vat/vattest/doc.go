// Package vattest plays PID 1 for one daemon in a test: it gives the daemon an endowment channel, hands it what the
// test says, and calls it as its clients do. Everything passes through real sockets; nothing is replaced but initd and
// what the test chooses to provide.
package vattest
