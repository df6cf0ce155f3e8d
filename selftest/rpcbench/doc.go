// Command rpcbench compares a call between two of our vats with the same call in gRPC, over D-Bus and over a bare
// socket: two processes and one unix socket, in turns within one run.
//
// It measures only the plumbing, with an object that echoes or discards what it is sent.
package main
