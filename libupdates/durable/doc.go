// Package durable owns the steps that make files survive a cut: it never decides what is in them. All of them go
// through one small port, FS, so that a test can stop the world after any of them (package durabletest).
package durable
