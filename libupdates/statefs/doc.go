// Package statefs owns what is in a state folder: values under keys, each in a file of its own, in prefixes with quotas
// of their own. It never decides who may use a prefix (daemons/statefsd hands them out) and never interprets a value.
//
// Below the root of the folder:
//
//	statefs                   the version of this layout, as a value of version 1 (see value.go)
//	statefs.reserve           space that is kept for the prefixes that must never find the disk full
//	<prefix>/<key>.value      one value; a slash in a key is a plus sign in the name
//	<prefix>/<key>.value.tmp  a value that is being written
//
// The file system is the index and the transaction: a value changes by one rename, and damage to one file is damage to
// one key. Whatever else lies in the folder is reported, never read and never removed.
package statefs
