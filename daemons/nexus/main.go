// Command nexus is every daemon in one binary: argv[0] says which. initd starts the others by executing it under their
// names.
package main

import (
	"os"
	"path/filepath"

	"nexus/daemons/plat"
)

func main() {
	plat.Stage()
	os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}
