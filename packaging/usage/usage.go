// Package usage says which help shows how a mistyped command is used.
package usage

import (
	"errors"
	"slices"

	"github.com/alecthomas/kong"
)

// Hint names the help of the command that the arguments name. It is "" for an error that is not the parser's, and where
// the arguments name no command.
func Hint(err error, args []string) string {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return ""
	}
	named := wrong.Context.Selected()
	for named != nil && !slices.Contains(args, named.Name) { // the default of a command was not typed
		named = named.Parent
	}
	if named == nil {
		return ""
	}
	return "`" + named.FullPath() + " --help` shows the usage"
}
