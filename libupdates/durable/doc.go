// Package durable makes files survive power cuts. It does not decide what is in them. Everything goes through one small
// interface, FS, so that a test can cut the power after any step (package durabletest).
package durable
