// Package supervise keeps daemons running: it launches each, has it endowed, asks whether it is alive, keeps what it
// said last, starts it again after a pause, and stops all in reverse order.
//
// It has a lock of its own. What a daemon is given, and what follows when one cannot be started, is for its Owner to
// decide; it knows no table, no link and no facet.
package supervise
