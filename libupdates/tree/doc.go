// Package tree packs a folder into the payload of a data bundle, and unpacks it. The payload is a tar archive (pax,
// with GNU's sparse files, format 1.0), so that every tar can read it. The same folder always gives the same bytes:
// times and owners are left out, entries are in the order of their names, and long runs of zeros are holes.
//
// A reader accepts only files, folders and symbolic links, and no name or link that leaves the tree.
package tree
