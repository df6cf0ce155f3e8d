// Package bundlemgrd publishes the bundles of one slot of the system, and of one of each package of apps. A publication
// is one value that is replaced as a whole. The daemon reads slots but never writes them, and it runs nothing.
//
// A set is checked before it is published: the slot must hold exactly the expected set, and each service in it must be
// a program for this machine. Otherwise the earlier publication stays (schema/bundle.capnp).
package bundlemgrd
