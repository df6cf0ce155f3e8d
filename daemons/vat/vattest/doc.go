// Package vattest plays PID 1 for one daemon in a test: it gives the daemon an endowment channel, grants it what the
// test specifies, and calls it as its clients would. Everything goes through real sockets; only initd and the providers
// that the test chooses are replaced.
package vattest
