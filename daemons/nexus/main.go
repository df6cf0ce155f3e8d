// Command nexus contains all daemons; argv[0] selects which one runs. initd starts the others by executing this binary
// under their names.
package main

import (
	"os"
	"path/filepath"

	_ "nexus/daemons/nexus/early" // first of all, this program may be the stage
)

func main() {
	os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}
