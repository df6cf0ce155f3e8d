// Package health owns the rule by which a boot attempt counts as healthy. It is pure: it never asks a process, waits or
// reads a clock; whoever observes hands in what was observed.
package health
