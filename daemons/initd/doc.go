// Package initd is the first process: it starts every daemon, hands each exactly what the authority table grants it,
// starts it again when it dies, counts boot attempts, gathers the health verdict and, as the only holder of HealthGate,
// commits.
//
// It owns processes and sockets. It never reads an archive, a slot or the boot record, and calls between two daemons do
// not pass through it.
package initd
