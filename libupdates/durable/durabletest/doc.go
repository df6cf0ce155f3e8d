// Package durabletest provides a disk for tests. It is in memory, records every operation, can cut the power after any
// of them or make one fail, and shows any state that a real disk may show at the next start. It is for tests only.
package durabletest
