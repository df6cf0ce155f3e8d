// Package statefsd owns the state folder while the system runs and hands it out, one capability for one prefix. It
// decides nothing about values and never lets a client reach another prefix than the one initd granted it; the rules of
// the folder are libupdates/statefs.
package statefsd
