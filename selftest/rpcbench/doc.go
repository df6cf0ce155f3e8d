// Package rpcbench compares a call between two of our vats with the same call in gRPC, over D-Bus and over a bare
// socket: two processes and one unix socket, in turns within one run. It measures only the plumbing, with an object
// that echoes or discards what it is sent. It contains only tests and a benchmark, of which each iteration is a round:
//
//	go test -bench . -benchtime 9x
package rpcbench
