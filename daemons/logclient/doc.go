// Package logclient is a process's way to logd: records, audit, crash reports and console markers. It never blocks
// whoever logs, but for a marker, never grows beyond a fixed number of records, and never decides what is printed or
// kept: logd does.
//
// Records wait in a bounded queue until logd has taken them, so what is said before logd is up or while it restarts
// arrives afterwards, in order. When the queue is full, plain messages go first and what went is counted and reported.
// A record whose call was cut off is sent again: it may reach two lives of logd, but it is never lost below the bound.
package logclient
