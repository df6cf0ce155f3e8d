// Package image builds the file system that a guest starts from: an initramfs with the one binary and a link per
// daemon, trust anchors, system sets and kernel modules. The same inputs give the same bytes.
//
// It owns the layout that daemons/initd/machine expects (machine.Guest…) and decides nothing about how a guest is
// started.
package image
