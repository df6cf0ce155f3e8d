// Command nxb-pack packs one program and its manifest into a bundle.
package main

import (
	"os"

	"nexus/nxspack"
)

func main() {
	os.Exit(nxspack.RunBundlePacker(nxspack.UntilSignal(), os.Args[1:], os.Stdout, os.Stderr))
}
