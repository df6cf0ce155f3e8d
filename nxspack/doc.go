// Package nxspack implements nxs-pack and nxb-pack. It makes bundles and system sets on the publisher's machine, and
// inspects finished ones. The rules of the formats are in libupdates/nxb and libupdates/nxs. This package adds files,
// keys and command lines, and never decides what a device accepts.
package nxspack
