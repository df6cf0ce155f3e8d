// Package statefs owns the contents of a state folder: values under keys, each in its own file, in prefixes that each
// have a quota. It does not decide who may use a prefix (daemons/statefsd hands them out) and never interprets a value.
//
// Below the root of the folder:
//
//	statefs                   the version of this layout, as a value of version 1 (see value.go)
//	<prefix>/<key>.value      one value; a slash in a key is a plus sign in the name
//	<prefix>/<key>.value.tmp  a value that is being written
//
// The file system is both index and transaction: a value changes by one rename, and damage to one file affects only one
// key. Anything else in the folder is reported, but neither read nor removed.
package statefs
