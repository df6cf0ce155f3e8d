// Package cli implements the command line of schema-check. It finds the schemas, runs the checks and prints their
// findings. It has no rules of its own.
package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
)

const name = "schema-check"

const description = `Review gate for Cap'n Proto schemas. A comment line "Class: blessed" in a file or on a type says that it may only grow;
"Class: lockstep", or nothing, that it may change. Needs the capnp compiler, or a request that it compiled earlier.
Exit status: 0 done, 1 refused or failed, 2 wrong usage.`

// grammar is the command line.
type grammar struct {
	Lint   lintVerb   `cmd:"" help:"Check the schemas against the rules of style and safety."`
	Lock   lockVerb   `cmd:"" help:"Print, write or check the lock: the surface as text, one line per element."`
	Compat compatVerb `cmd:"" help:"Refuse changes that break blessed declarations; list all others."`
	API    apiVerb    `cmd:"" name:"api" help:"Print, write or check the API reference in Markdown."`
	Rules  rulesVerb  `cmd:"" help:"List the rules of lint and compat in Markdown."`
}

// streams are the inputs and outputs of a run.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// errRefused ends a run whose report has already given the reason.
var errRefused = errors.New("refused")

// Run runs schema-check with the given arguments (without the program name) and returns the exit status: 0 done, 1
// refused or failed, 2 wrong usage.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	over := false
	parser, err := kong.New(&grammar{},
		kong.Name(name),
		kong.Description(strings.ReplaceAll(description, "\n", " ")),
		kong.Bind(&streams{stdin, stdout, stderr}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { over = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	switch {
	case over:
		return exitDone
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\nhint: `%s --help` shows the usage\n", name, err, name)
		return exitUsage
	}
	switch err := parsed.Run(); {
	case errors.Is(err, errRefused):
		return exitRefused
	case err != nil:
		fmt.Fprintf(stderr, "%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
		return exitRefused
	}
	return exitDone
}
