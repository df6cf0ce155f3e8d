// Package golden holds what each released version has written, for ever: a system set, a public key, a manifest, boot
// records, and the lock of the schemas it was built with, a folder below testdata for each version. Its tests read all
// of them with today's code, and today's bytes with readers made of the earlier locks. It has no code of its own.
//
// A release adds its folder with `go test ./libupdates/golden -run TestAdd -add v2` and never touches another.
package golden
