// Package powers defines what a bundle may ask for beside names: a small grammar, its bounds, and its one written form.
// Who gets a power is decided by package policy.
package powers
