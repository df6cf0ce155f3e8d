// Command nxs-pack packs bundles into a signed system set, and inspects, verifies, extracts and compares sets.
package main

import (
	"os"

	"nexus/nxspack"
)

func main() {
	os.Exit(nxspack.RunSetPacker(nxspack.UntilSignal(), os.Args[1:], os.Stdout, os.Stderr))
}
