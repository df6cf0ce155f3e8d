// Package nxspack is the packers' side of the formats: it makes bundles and system sets on the publisher's machine, and
// looks into finished ones. nxs-pack and nxb-pack are its two commands. The rules of the formats are those of
// libupdates/nxb and libupdates/nxs; this package adds files, keys and command lines, and never decides what a device
// accepts.
package nxspack
