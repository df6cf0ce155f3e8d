package nxspack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/oci"
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

// reasonUsage reports a wrong command line. It is not a refusal of package refusal, because no format is involved.
const reasonUsage refusal.Reason = "usage"

// A command is one of the two packers.
type command struct {
	name           string
	description    string
	stdout, stderr io.Writer
	json           bool       // answers and errors are JSON objects
	pace           oci.Pace   // how long a registry is waited for
	publishing     sync.Mutex // held while an output is incomplete
}

// run parses the arguments into the grammar, runs the verb and returns the exit status.
func (c *command) run(ctx context.Context, grammar any, args []string) int {
	c.json = slices.Contains(args, "--json") // also for errors of the parser
	out := &printing.Output{To: c.stdout}
	c.stdout = out
	parsed, over, err := c.parse(ctx, grammar, args)
	switch {
	case out.Err() != nil: // nothing but help has been printed yet
		c.report(explain(cannot("print", "help", out.Err())))
		return exitRefused
	case over:
		return exitDone
	case err != nil:
		hint := cmp.Or(usage.Hint(err, args), "`"+c.name+" --help` shows the usage")
		c.report(failure{text: err.Error(), reason: reasonUsage, hint: hint})
		return exitUsage
	}
	if err := c.finish(ctx, parsed.Run); err != nil {
		c.report(explain(err))
		return exitRefused
	}
	return exitDone
}

// finish runs a verb until it returns or the context ends. In the second case, a verb that waits, for ssh-agent or a
// pipe, is abandoned and ends with the process. A verb that is writing its output is told by the context to stop;
// finish waits until it has cleaned up.
func (c *command) finish(ctx context.Context, verb func(...any) error) error {
	ended := make(chan error, 1)
	go func() { ended <- verb() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	c.publishing.Lock() // never unlocked: no output may be started any more
	select {
	case err := <-ended:
		return err
	default:
		return context.Cause(ctx)
	}
}

// publishFile calls the function of that name. The command does not exit in the middle of it.
func (c *command) publishFile(target string, fill func(f *os.File) error) error {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	return publishFile(target, fill)
}

// publishDir calls the function of that name. The command does not exit in the middle of it.
func (c *command) publishDir(target string, fill func(dir string) error) error {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	return publishDir(target, fill)
}

// parse parses the command line. If over is set, the user asked for help, which has been printed.
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

// Definitions returns the command lines of both packers, for man pages and shell completion.
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

// answerFlags select the form of all answers.
type answerFlags struct {
	JSON bool `name:"json" help:"Answer with one JSON object, errors too."`
}

// AfterApply sets the form of the answers once the command line has been parsed.
func (f answerFlags) AfterApply(c *command) error {
	c.json = f.JSON
	return nil
}

// answer prints the result of a verb: as one JSON object, or as text.
func (c *command) answer(object any, text string) error {
	var err error
	if c.json {
		err = printing.JSON(c.stdout, object)
	} else {
		_, err = io.WriteString(c.stdout, text)
	}
	return cannot("print", "the answer", err)
}

// A failure is an error as it is printed.
type failure struct {
	text   string         // one line
	reason refusal.Reason // stable code
	hint   string         // how to fix it, or empty
}

// report prints a failure: one line and the hint on stderr, and with --json one JSON object on stdout.
func (c *command) report(f failure) {
	fmt.Fprintf(c.stderr, "%s: %s\n", c.name, strings.ReplaceAll(f.text, "\n", " "))
	if f.hint != "" {
		fmt.Fprintf(c.stderr, "hint: %s\n", f.hint)
	}
	if c.json {
		// An error cannot be reported any more if stdout is closed.
		_ = printing.JSON(c.stdout, struct {
			Error  string         `json:"error"`
			Reason refusal.Reason `json:"reason"`
		}{f.text, f.reason})
	}
}

// A hinted error carries its own hint.
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

// hintFor returns how to fix a refusal, or "".
func hintFor(reason refusal.Reason) string {
	switch reason {
	case refusal.ArchiveTooLarge, refusal.PayloadTooLarge:
		return "--limit-payload, and for sets --limit-archive, sets the limit, to at most 16GiB"
	case refusal.UntrustedPublisher:
		return "if you trust its publisher, name it with --trust"
	case refusal.Unsigned, refusal.InvalidSignature:
		return "pack the set again and sign it with --key"
	case refusal.SDKTooOld:
		return "--sdk says which SDK the devices have, if it is another"
	case refusal.MessageTooLong:
		return "sign it where the key is and pass the result (--signature, --publisher), " +
			"or use --unsigned for a bundle that is only distributed in sets"
	case refusal.RegistryDenied:
		return "--credentials names a file with credentials, in the format of Docker's config.json"
	case refusal.UntrustedRegistry:
		return "--ca names a file with the certificates that vouch for the registry"
	case refusal.BadKey:
		return "`nxs-pack keygen` makes a key; Ed25519 keys of OpenSSH, OpenSSL and ssh-agent (agent:) work, too"
	default:
		return ""
	}
}

// cannot returns an error of the form `cannot <verb> <object>: <cause>`. The object's path is removed from the cause.
func cannot(verb, object string, cause error) error {
	if cause == nil {
		return nil
	}
	return fmt.Errorf("cannot %s %s: %w", verb, show(object), plain(cause, object))
}

// limitFlags are the limits of the devices that a set is for.
type limitFlags struct {
	LimitArchive nxs.Size `placeholder:"SIZE" default:"${archive_limit}" help:"Largest archive that the device accepts (${default})."`
	LimitPayload nxs.Size `placeholder:"SIZE" default:"${payload_limit}" help:"Largest payload that the device accepts (${default})."`
}

// helpTexts are the variables of help texts: the default limits of a device, and the forms of key arguments.
func helpTexts() kong.Vars {
	limits := nxs.DefaultLimits()
	return kong.Vars{
		"key": "Private key: a file (keygen's, OpenSSH, PKCS#8 as PEM or DER; hex-seed:FILE for bare hex), " +
			"or for ssh-agent agent:, agent:COMMENT, agent:SHA256:... or a public key's file; " +
			"or pkcs11:... (RFC 7512) for a token.",
		"sdk": nxb.SDK,
		"public": "a public key as text or as a file " +
			"(keygen's, OpenSSH, SPKI as PEM or DER; hex-public:FILE for bare hex in a file not named *.pub)",
		"archive_limit": humanize.IBytes(uint64(limits.Archive)),
		"payload_limit": humanize.IBytes(uint64(limits.Payload)),
	}
}

func (f limitFlags) limits() nxs.Limits {
	return nxs.Limits{Archive: int64(f.LimitArchive), Payload: int64(f.LimitPayload)}
}

// formatLimits returns the highest limits that any device may have, for commands that only read a set.
func formatLimits() nxs.Limits { return nxs.Limits{Archive: nxs.MaxPolicy, Payload: nxs.MaxPolicy} }
