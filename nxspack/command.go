package nxspack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kong"

	"nexus/libupdates/refusal"
	"nexus/packaging/release"
)

// Exit statuses.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
)

// reasonUsage says that the command line is wrong. It is no refusal of a format, so it stands here.
const reasonUsage refusal.Reason = "usage"

// A command is one of the two packers: a name and where it writes.
type command struct {
	name           string
	description    string
	stdout, stderr io.Writer
	json           bool       // answers and errors are JSON objects
	publishing     sync.Mutex // held while something is made that is not whole yet
}

// run parses the arguments into the grammar, runs the verb they name and returns the exit status.
func (c *command) run(ctx context.Context, grammar any, args []string) int {
	c.json = slices.Contains(args, "--json") // until the command line is known to be right
	parsed, over, err := c.parse(ctx, grammar, args)
	switch {
	case over:
		return exitDone
	case err != nil:
		c.report(failure{text: err.Error(), reason: reasonUsage, hint: "`" + c.name + " --help` shows how it is used"})
		return exitUsage
	}
	if err := c.finish(ctx, parsed.Run); err != nil {
		c.report(explain(err))
		return exitRefused
	}
	return exitDone
}

// finish runs a verb to its end or the context's. A verb that waits, for a key's agent or a pipe, is then left where it
// is, and ends with the process; one that is making something first ends that, which the context bids it.
func (c *command) finish(ctx context.Context, verb func(...any) error) error {
	ended := make(chan error, 1)
	go func() { ended <- verb() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	c.publishing.Lock() // for good: nothing is begun any more
	select {
	case err := <-ended:
		return err
	default:
		return context.Cause(ctx)
	}
}

// publishFile is the package's, and is not left unfinished when the command ends.
func (c *command) publishFile(target string, fill func(f *os.File) error) error {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	return publishFile(target, fill)
}

// publishDir is the package's, and is not left unfinished when the command ends.
func (c *command) publishDir(target string, fill func(dir string) error) error {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	return publishDir(target, fill)
}

// parse reads the command line; over means that it asked for help, which has been given.
func (c *command) parse(ctx context.Context, grammar any, args []string) (parsed *kong.Context, over bool, err error) {
	parser, err := c.parser(grammar,
		kong.Bind(c),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Writers(c.stdout, c.stderr),
		kong.Exit(func(int) { over = true }),
	)
	if err != nil {
		return nil, false, err
	}
	parsed, err = parser.Parse(args)
	return parsed, over, err
}

func (c *command) parser(grammar any, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(grammar, append(options,
		kong.Name(c.name),
		kong.Description(c.description+" Exit status: 0 done, 1 refused or failed, 2 wrong usage."),
		helpTexts(),
		kong.Vars{"version": release.Line(c.name)},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)...)
}

// Definitions are the command lines of both packers, for those who describe them: man pages and completion.
func Definitions() ([]*kong.Application, error) {
	var all []*kong.Application
	for _, packer := range []struct {
		command *command
		grammar any
	}{{setPacker(nil, nil), &setGrammar{}}, {bundlePacker(nil, nil), &bundleGrammar{}}} {
		parser, err := packer.command.parser(packer.grammar)
		if err != nil {
			return nil, err
		}
		all = append(all, parser.Model)
	}
	return all, nil
}

// answerFlags say how every verb answers.
type answerFlags struct {
	JSON bool `name:"json" help:"Answer with one JSON object, errors too."`
}

// AfterApply takes what was said, now that it was understood.
func (f answerFlags) AfterApply(c *command) error {
	c.json = f.JSON
	return nil
}

// answer prints the outcome of a verb: one JSON object for programs, or text for people.
func (c *command) answer(object any, text string) error {
	if c.json {
		return json.NewEncoder(c.stdout).Encode(object)
	}
	_, err := io.WriteString(c.stdout, text)
	return err
}

// A failure is why a command did not do what it was told, as it is shown.
type failure struct {
	text   string         // one line
	reason refusal.Reason // stable code
	hint   string         // what to do about it, or empty
}

// report prints a failure: one line and its hint on stderr, and for programs one JSON object on stdout.
func (c *command) report(f failure) {
	fmt.Fprintf(c.stderr, "%s: %s\n", c.name, strings.ReplaceAll(f.text, "\n", " "))
	if f.hint != "" {
		fmt.Fprintf(c.stderr, "hint: %s\n", f.hint)
	}
	if c.json {
		// Nothing is left to do when stdout is gone.
		_ = json.NewEncoder(c.stdout).Encode(struct {
			Error  string         `json:"error"`
			Reason refusal.Reason `json:"reason"`
		}{f.text, f.reason})
	}
}

// A hinted error says what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func explain(err error) failure {
	f := failure{text: err.Error(), reason: refusal.Of(err)}
	if own, ok := errors.AsType[hinted](err); ok {
		f.hint = own.hint
	} else {
		f.hint = hintFor(f.reason)
	}
	return f
}

// hintFor says what to do about a reason, where there is something to do.
func hintFor(reason refusal.Reason) string {
	switch reason {
	case refusal.ArchiveTooLarge, refusal.PayloadTooLarge:
		return "--limit-archive and --limit-payload set the limits, to at most 16GiB"
	case refusal.UntrustedPublisher:
		return "name its publisher with --trust, if you trust it"
	case refusal.Unsigned, refusal.InvalidSignature:
		return "pack the set again and sign it with --key"
	case refusal.SDKTooOld:
		return "--sdk says which SDK the devices have, if it is another"
	case refusal.MessageTooLong:
		return "sign it where the key is and name the result (--signature, --publisher), " +
			"or, for a bundle that travels in sets only, use --unsigned"
	case refusal.BadKey:
		return "`nxs-pack keygen` makes a key; Ed25519 keys of OpenSSH and OpenSSL and ssh-agent (agent:) will do too"
	default:
		return ""
	}
}

// cannot says what failed: `cannot <verb> <object>: <cause>`. The cause does not repeat the object's path.
func cannot(verb, object string, cause error) error {
	if cause == nil {
		return nil
	}
	return fmt.Errorf("cannot %s %s: %w", verb, show(object), plain(cause, object))
}
