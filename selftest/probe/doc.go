// Command probe attacks a confinement from inside. It starts itself once in each daemon's confinement and once in a
// payload's, by the very code that starts those, tries there what an attacker would who has taken the process over, and
// counts what was not refused. As the first process of a machine it does the same there and powers the machine off. It
// is no part of a system.
package main
