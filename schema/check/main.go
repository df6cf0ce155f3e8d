// Command schema-check is the review gate for Cap'n Proto schemas: it lints them, locks their surface as text, refuses
// changes that break what others rely on, and writes the API reference. docs/schema-check.md tells how it is used.
package main

import (
	"os"

	"nexus/schema/check/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
