// Package statefsd owns the state folder while the system runs, and serves each client the one prefix that initd
// granted it. It does not interpret values, and no client can reach another prefix. The rules of the folder are in
// libupdates/statefs.
package statefsd
