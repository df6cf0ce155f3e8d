// Package interop proves that Nexus speaks Cap'n Proto and not merely its own dialect: the reference implementation in
// C++ reads and writes our files, and a client written with it (client.c++) operates a running system, with a callback
// capability that the system calls. It has no code of its own.
package interop
