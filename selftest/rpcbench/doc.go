// Command rpcbench holds a call between two of our vats beside the same call in gRPC, over D-Bus and over a bare
// socket: two processes, one unix socket, all in one run and in turns.
//
// It measures the plumbing and nothing of the system: an object that answers what it was asked, and swallows what it is
// sent.
package main
