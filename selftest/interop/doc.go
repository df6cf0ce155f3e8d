// Package interop tests that Nexus speaks standard Cap'n Proto rather than a dialect of its own: the C++ reference
// implementation reads and writes our files, and a client written with it (client.c++) operates a running system and
// serves a callback capability that the system calls. It has no code besides tests.
package interop
