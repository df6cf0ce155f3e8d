// Command schema-check is the review gate for Cap'n Proto schemas. It lints them, locks their surface as text, refuses
// changes that break what others rely on, and writes the API reference. See docs/schema-check.md.
package main

import (
	"os"

	"nexus/schema/check/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
