// Package selftest is the client that proves the update flow from inside: it stages a healthy set, switches to it and
// sees it committed, stages a broken one and sees it come back, offers two damaged ones and sees them refused, and asks
// the live service at each step which version it is.
//
// It holds what the authority table grants it: a ServiceManager for a few names, a LogSink, a HealthVote and the folder
// with the sets. It prints a marker only after it has seen the thing that the marker says.
package selftest
