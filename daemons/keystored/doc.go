// Package keystored says whose signature counts, and for what: by a folder of public keys, which it only reads, or by a
// root, which it keeps on disk and replaces by the next one when that is signed as the present one asks. It never holds
// a private key, and interprets nothing before its signatures have passed.
package keystored
