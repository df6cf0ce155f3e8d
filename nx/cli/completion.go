package cli

import (
	"io"

	"github.com/alecthomas/kong"

	"nexus/packaging/manual"
)

// completionVerb prints a completion script.
type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Run prints the script.
func (v *completionVerb) Run(in *invocation, parsed *kong.Context) error {
	script, err := manual.Completion(parsed.Model, v.Shell)
	if err != nil {
		return cannot("complete", v.Shell, err)
	}
	return in.answer(map[string]string{"shell": v.Shell, "script": script},
		func(w io.Writer) { io.WriteString(w, script) })
}
