// Package links makes the links between daemons: for each edge of the authority table whose two ends run, a socket
// pair, one end to each. It makes them again when they end, introduces those who may look each other up, and takes back
// what an operator revokes.
//
// It has a lock of its own and starts no process. Whether a daemon runs it is told, together with the channel over
// which that daemon is endowed.
package links
