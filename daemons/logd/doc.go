// Package logd owns the journal and the console: it keeps what every process says in a bounded ring, in memory and,
// where the system has state, on disk through StateFs; prints markers and what an operator must see; and answers who
// reads (docs/architecture/logd.md). It never waits for a reader.
//
// The sender of a record is the connection that it came over. Nothing that a sender writes can make it another's, be a
// marker without having been printed, or reach the console as anything but printable text.
package logd
