// Package supervise keeps daemons running: it launches each, has its endowments granted, checks its liveness, keeps its
// last output, restarts it after a pause, and stops all in reverse order.
//
// It has its own lock. Its Owner decides what a daemon is granted, and what happens when one cannot be started;
// supervise knows no table, links or facets.
package supervise
