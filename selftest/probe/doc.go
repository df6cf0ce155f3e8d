// Package probe attacks a confinement from inside. Its test program starts itself once in the confinement of each
// daemon and once in that of a payload, through the same code that starts those. There it tries what an attacker would
// try who has taken over the process, and reports what was not refused. As the first process of a machine
// (selftest/guest) it does the same there and powers the machine off. It contains only tests.
package probe
