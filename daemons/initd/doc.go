// Package initd is the first process. It starts every daemon, gives each exactly what the authority table grants, and
// restarts it when it dies. It counts boot attempts and decides their health; as the only holder of HealthGate, it
// commits.
//
// It owns processes and sockets. It never reads an archive, a slot or the boot record, and calls between two daemons do
// not pass through it.
//
// It has three parts in packages of their own: supervise keeps daemons running, links connects them, and machine does
// what only a first process must. Only this package knows all three. It also has the table, the start, the clients from
// outside, and the health of an attempt.
package initd
