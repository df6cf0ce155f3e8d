// Command mkdemo packs the sets of the demo with the real packers, from programs that it builds: v1.0.0 and v1.1.0 are
// healthy, the service of v1.2.0 exits soon after its start, and bad-signature and bad-digest are v1.1.0 with one bit
// flipped. It shows each command.
//
// Usage, from the top of the tree: mkdemo -bin bin -output out/demo -arch riscv64
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"nexus/selftest/demo"
)

func main() {
	bin := flag.String("bin", "bin", "folder with nxb-pack and nxs-pack")
	output := flag.String("output", "out/demo", "folder for keys and sets")
	arch := flag.String("arch", runtime.GOARCH, "architecture of the programs in the sets")
	flag.Parse()
	if err := demo.Make(*bin, *output, *arch, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "mkdemo: %v\n", err)
		os.Exit(1)
	}
}
