// Package initd is the first process: it starts every daemon, hands each exactly what the authority table grants it,
// starts it again when it dies, counts boot attempts, gathers the health verdict and, as the only holder of HealthGate,
// commits.
//
// It owns processes and sockets. It never reads an archive, a slot or the boot record, and calls between two daemons do
// not pass through it.
//
// Its parts are packages of their own: supervise keeps daemons running, links connects them, machine is what only a
// first process does. Only this package knows all three. What is left here is the table, the start, those who come in
// from outside, and the health of an attempt.
package initd
