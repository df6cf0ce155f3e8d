// Package links makes the links between daemons: for each edge of the authority table whose two ends run, a socket pair
// with one end for each. It makes links again when they end, introduces clients to names that they may look up, and
// cuts what an operator revokes.
//
// It has its own lock and starts no processes. It is told whether a daemon runs, and over which channel that daemon
// gets its grants.
package links
