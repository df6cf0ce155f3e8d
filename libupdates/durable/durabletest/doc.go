// Package durabletest is the disk that tests run on: in memory, it records every operation, can cut the power after any
// of them or let one fail, and shows what a real disk may show at the next start. It is never part of a system.
package durabletest
