package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/alecthomas/kong"

	"nexus/packaging/printing"
	"nexus/packaging/release"
	"nexus/packaging/usage"
)

// Exit statuses.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
)

// defaultDir is the system's folder when neither --dir nor NX_DIR names one.
const defaultDir = "nexus-system"

// A grammar is the command line.
type grammar struct {
	Dir    string `placeholder:"DIR" help:"The system's folder (NX_DIR; default: ${dir})."`
	Socket string `placeholder:"PATH" help:"Reach the system by a socket that it shares, instead of by its folder (NX_SOCKET)."`
	JSON   bool   `name:"json" help:"Answer with JSON, errors too."`
	remoteFlags

	Version kong.VersionFlag `help:"Show the version."`

	Up        upVerb        `cmd:"" help:"Run a system on this host, in the foreground."`
	Status    statusVerb    `cmd:"" help:"Show what runs, what is on trial, what is staged."`
	Stage     stageVerb     `cmd:"" help:"Verify a system set and store it, ready to switch to."`
	Switch    switchVerb    `cmd:"" help:"Put the staged set on trial."`
	Update    updateVerb    `cmd:"" help:"Stage a system set, switch to it and wait for the verdict."`
	Install   installVerb   `cmd:"" help:"Install the apps in a set, and wait for the verdict."`
	Upgrade   upgradeVerb   `cmd:"" help:"Upgrade the apps in a set to newer versions, and wait for the verdict."`
	Uninstall uninstallVerb `cmd:"" help:"Uninstall apps."`
	Apps      appsVerb      `cmd:"" help:"Show the apps."`
	Rollback  rollbackVerb  `cmd:"" help:"End a trial, or return to the set in the other slot."`
	Discard   discardVerb   `cmd:"" help:"Drop the staged set, or end the stage under way."`
	Clear     clearVerb     `cmd:"" help:"Let a quarantined set be staged again."`
	Trust     trustVerb     `cmd:"" help:"Show or change whose sets the system takes."`
	Policy    policyVerb    `cmd:"" help:"Show or replace the policy: which powers bundles get."`
	State     stateVerb     `cmd:"" help:"List, save or replace what bundles keep."`
	Explain   explainVerb   `cmd:"" help:"Show which powers a bundle asked for, and which it got by which rule."`
	Floor     floorVerb     `cmd:"" help:"Show or lower the version floor."`
	Verify    verifyVerb    `cmd:"" help:"Read every byte of both slots again and check it against the signed digests."`
	History   historyVerb   `cmd:"" help:"Show the last steps of the state machine."`
	Bundles   bundlesVerb   `cmd:"" help:"Show the published bundles."`
	List      listVerb      `cmd:"" name:"ls" help:"List the files of the published bundles."`
	Cat       catVerb       `cmd:"" help:"Write a file of a published bundle to standard output."`
	Services  servicesVerb  `cmd:"" help:"Show services and daemons."`
	Graph     graphVerb     `cmd:"" help:"Show who was handed what."`
	Revoke    revokeVerb    `cmd:"" help:"Cut a daemon or a role from a service until the system stops."`
	Grant     grantVerb     `cmd:"" help:"Undo a revoke."`
	Operators operatorsVerb `cmd:"" help:"Show or revoke the keys by which operators come in over the network."`
	Log       logVerb       `cmd:"" help:"Show the journal."`
	Crashes   crashesVerb   `cmd:"" help:"Show what ended unexpectedly, and what is known about it."`
	RunBundle runVerb       `cmd:"" name:"run" help:"Run a bundle and wait for its end."`
	Shutdown  shutdownVerb  `cmd:"" help:"Stop the system."`
	Reboot    rebootVerb    `cmd:"" help:"Restart the system."`

	Completion completionVerb `cmd:"" help:"Print a script that completes the command line in a shell."`
}

// An invocation is one run of the command: which system it works on and how it prints.
type invocation struct {
	terminal
	target
	goesOn bool // the system was still there when the verb failed
}

// A terminal is what the command prints to, and whom it asks.
type terminal struct {
	host Host
	json bool
}

// A target is the system that the command works on.
type target struct {
	dir    string
	socket string // of those the system shares; empty: the folder's own
	remote remoteFlags
	app    string // the package of apps that the command is about; empty: the system
}

// Run runs the command with the arguments that follow its name and returns the exit status: 0 done, 1 refused or
// failed, 2 wrong usage. It ends when ctx does.
func Run(ctx context.Context, args []string, host Host) int {
	out := &printing.Output{To: host.Stdout}
	host.Stdout = out
	in := &invocation{terminal: terminal{host: host, json: slices.Contains(args, "--json")}}
	var g grammar
	parsed, over, err := parse(&g, args, host)
	switch {
	case out.Err() != nil: // nothing but help has been printed yet
		in.report(in.explain(ctx, cannot("print", "help", out.Err())))
		return exitRefused
	case over:
		return exitDone
	case err != nil:
		in.report(&failure{text: err.Error(), reason: reasonUsage, hint: cmp.Or(usage.Hint(err, args), allVerbs)})
		return exitUsage
	}
	in.dir, in.socket, in.json = in.folder(g.Dir), in.shared(g), g.JSON
	parsed.BindTo(ctx, (*context.Context)(nil))
	if in.remote, err = in.elsewhere(g); err == nil {
		err = parsed.Run(in)
	}
	if unwritten := out.Err(); unwritten != nil && (err == nil || errors.Is(err, unwritten)) {
		err = cannot("print", "the answer", unwritten)
	}
	if err != nil {
		f := in.explain(ctx, err)
		in.report(f)
		if f.reason == reasonUsage {
			return exitUsage
		}
		return exitRefused
	}
	return exitDone
}

// parse reads the command line. over means that it asked for help, which has been printed.
func parse(g *grammar, args []string, host Host) (parsed *kong.Context, over bool, err error) {
	parser, err := parserOf(g, kong.Writers(host.Stdout, host.Stderr), kong.Exit(func(int) { over = true }))
	if err != nil {
		return nil, false, err
	}
	parsed, err = parser.Parse(args)
	return parsed, over, err
}

func parserOf(g *grammar, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(g, append(options,
		kong.Name("nx"),
		kong.Description("Run and update a Nexus system. Exit status: 0 done, 1 refused or failed, 2 wrong usage."),
		kong.Vars{"dir": defaultDir, "version": release.Line("nx")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)...)
}

// Definition returns the command line for those who describe it: man page and completion.
func Definition() (*kong.Application, error) {
	parser, err := parserOf(&grammar{})
	if err != nil {
		return nil, err
	}
	return parser.Model, nil
}

// folder returns the system's folder: the flag, the environment, or the default.
func (in *invocation) folder(flag string) string {
	if flag != "" {
		return flag
	}
	if env := in.host.Getenv("NX_DIR"); env != "" {
		return env
	}
	return defaultDir
}

// shared returns the socket to connect to: the flag, or the environment unless a folder is named.
func (in *invocation) shared(g grammar) string {
	if g.Socket != "" || g.Dir != "" {
		return g.Socket
	}
	return in.host.Getenv("NX_SOCKET")
}

// place returns the name of the system's place, for messages.
func (t *target) place() string {
	if t.remote.To != "" {
		return "at " + t.remote.To
	}
	if t.socket != "" {
		return "at " + t.socket
	}
	return "in " + t.dir
}

// answer prints the result of a verb: a value with --json, else text.
func (t *terminal) answer(value any, text func(w io.Writer)) error {
	if !t.json {
		text(t.host.Stdout)
		return nil
	}
	return printing.JSON(t.host.Stdout, value)
}
