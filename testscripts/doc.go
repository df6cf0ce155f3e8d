// Package testscripts holds scenarios over the real binaries: real processes, real sockets, real programs in the
// bundles. A scenario is a .txtar file in testdata; the commands it may use beyond testscript's own are in this
// package's tests.
package testscripts
