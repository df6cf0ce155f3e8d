// Package bundlemgrd owns what is published: the bundles of one slot, as one value that a new one replaces whole. It
// reads slots and never writes them, and it runs nothing.
//
// A publication is looked at before it is made: the slot holds exactly the set it should, and each service in it is a
// program for this machine. When either is not so, the earlier publication stands (schema/bundle.capnp).
package bundlemgrd
