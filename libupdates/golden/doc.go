// Package golden keeps, for ever, what each released version has written: a system set, a public key, a manifest, boot
// records, and the lock of its schemas, in one folder below testdata per version. Its tests read all of them with
// today's code, and today's bytes with readers generated from the earlier locks. It contains only tests.
//
// A release adds its folder with `go test ./libupdates/golden -run TestAdd -add v2`. Existing folders never change.
package golden
