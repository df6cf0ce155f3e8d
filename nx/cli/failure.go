package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
	"nexus/packaging/printing"
)

// reasonUsage is the code for a wrong command line. No system refuses with it, so it is defined here.
const reasonUsage refusal.Reason = "usage"

// allVerbs is the hint for a wrong command line that names no verb.
const allVerbs = "`nx --help` shows the verbs, `nx VERB --help` one of them"

// A failure is what is shown of an error.
type failure struct {
	text   string         // one line
	reason refusal.Reason // stable code
	hint   string         // what to do about it, or empty; with marks, see filled
	words  words          // of the service that an update failed by
}

func (f *failure) Error() string { return f.text }

// wrongUsage returns the error for an invalid value on the command line.
func wrongUsage(format string, args ...any) error {
	return &failure{text: fmt.Sprintf(format, args...), reason: reasonUsage, hint: allVerbs}
}

// cannot returns the error of a verb: `cannot <verb> <object>: <cause>`.
func cannot(verb, object string, cause error) error {
	return &act{what: "cannot " + strings.TrimRight(verb+" "+object, " "), cause: cause}
}

// unlessDone is cannot for what may have succeeded.
func unlessDone(verb, object string, cause error) error {
	if cause == nil {
		return nil
	}
	return cannot(verb, object, cause)
}

// An act is a failed operation and its cause.
type act struct {
	what  string
	cause error
}

func (a *act) Error() string { return a.what + ": " + a.cause.Error() }
func (a *act) Unwrap() error { return a.cause }

// explain returns the line, the code and the hint for an error.
func (in *invocation) explain(ctx context.Context, err error) *failure {
	what, cause := "", err
	var a *act
	if errors.As(err, &a) {
		what, cause = a.what, a.cause
	}
	var ready *failure
	if errors.As(cause, &ready) {
		if what == "" {
			return ready
		}
		return &failure{text: clean(what + ": " + ready.text), reason: ready.reason, hint: in.filled(ready.hint)}
	}
	what = cmp.Or(what, "cannot go on")
	reason, detail := in.cause(ctx, cause)
	detail = saidOnce(what, detail)
	f := &failure{text: clean(what + ": " + detail), reason: reason, hint: in.hint(reason)}
	var rolled *rollbackError
	if errors.As(cause, &rolled) {
		f.words = rolled.last.words
	}
	return f
}

// saidOnce removes from a cause what the line says already: that the same operation failed.
func saidOnce(what, detail string) string {
	words := strings.Fields(what)
	for {
		first, rest, found := strings.Cut(detail, ": ")
		again := strings.Fields(first)
		same := first == what || len(words) > 1 && len(again) > 1 && again[0] == words[0] && again[1] == words[1] &&
			(len(again) == 2 || again[2] == "into")
		if !found || !same {
			return detail
		}
		detail = rest
	}
}

// cause returns the code and the text of a cause: from the command itself if it knows them, else from the system.
func (in *invocation) cause(ctx context.Context, err error) (refusal.Reason, string) {
	var refused *refusal.Error
	switch {
	case errors.As(err, &refused):
		return refused.Reason, err.Error() // what nx itself says around it tells what it is about
	case errors.As(convert.Excepted(err), &refused):
		return refused.Reason, refused.Detail
	case ctx.Err() != nil:
		return refusal.Cancelled, "interrupted"
	case lost(err) && in.goesOn:
		return refusal.Disconnected, "the daemon that was asked ended; the system " + in.place() + " starts it again"
	case lost(err):
		return refusal.Disconnected, "the system " + in.place() + " went away"
	case errors.Is(err, context.DeadlineExceeded):
		return refusal.Stalled, "the system " + in.place() + " does not answer"
	default:
		return refusal.IO, convert.Text(err)
	}
}

// lost reports whether the other side of a call went away.
func lost(err error) bool { return vat.Disconnected(err) || errors.Is(err, errGone) }

// hints are the advice for reasons.
var hints = map[refusal.Reason]string{
	refusal.ArchiveTooLarge:    sizeHint,
	refusal.Disconnected:       "what it was asked for may be done nevertheless: `NX status` shows it",
	refusal.Downgrade:          "`NX update --downgrade FILE` installs it anyway",
	refusal.InvalidSignature:   "it was changed after it was signed, or damaged on its way: get it again",
	refusal.MissingBase:        "with `--full FILE.nxs`, nx sends the set itself to a device that cannot use the delta",
	refusal.NotQuarantined:     "`NX status` shows what is quarantined",
	refusal.NotRunnable:        "`NX services` shows what runs by itself, `NX bundles` what each bundle can do",
	refusal.NothingStaged:      "stage a set with `NX stage FILE`",
	refusal.PayloadTooLarge:    sizeHint,
	refusal.PolicyDenied:       "`NX policy` shows what the device grants, `NX policy set FILE` replaces it",
	refusal.Quarantined:        "it was rolled back before; `NX clear SET` lets it be staged again",
	refusal.StageInProgress:    "wait until it has ended, or end it with `NX discard`",
	refusal.TooManyClients:     "somebody follows the log or runs bundles from many places: end some of them",
	refusal.TrialInProgress:    "wait for the verdict, see `NX status`, or end the trial with `NX rollback`",
	refusal.UnknownBundle:      "`NX bundles` shows what is published",
	refusal.UntrustedPublisher: trustHint("PUB"),
	refusal.VersionFloor:       "`NX floor lower VERSION` lets older sets in again",
}

const sizeHint = "the policy is set by `nx up --limit-archive SIZE --limit-payload SIZE`"

func trustHint(key string) string {
	return "if you trust its publisher: `NX trust add " + key + "`; a device with a root needs a new root " +
		"(`NX trust update`)"
}

// appHints are the advice for a command that is about an app, where that is another.
var appHints = map[refusal.Reason]string{
	refusal.Disconnected:       "what it was asked for may be done nevertheless: `NX apps` shows it",
	refusal.Downgrade:          "`NX upgrade --downgrade FILE` goes down, where the device's policy allows it",
	refusal.NotQuarantined:     "`NX apps` shows what is quarantined",
	refusal.Quarantined:        "it was rolled back before; `NX clear --app APP SET` lets it be staged again",
	refusal.StageInProgress:    "wait until it has ended, or end it with `NX discard --app APP`",
	refusal.TrialInProgress:    "wait for the verdict, see `NX apps` and `NX status`; `NX rollback` ends a trial, with `--app APP` that of the app",
	refusal.UnknownApp:         "`NX apps` shows what is installed",
	refusal.UntrustedPublisher: trustHint("--role apps PUB"),
	refusal.VersionFloor:       "`NX floor lower --app APP VERSION` lets older sets in again",
}

// hint returns the advice for a reason, or "".
func (t *target) hint(reason refusal.Reason) string {
	switch {
	case reason == refusal.NotRunning:
		return t.start()
	case reason == refusal.NotGranted && t.remote.To != "":
		return grantHint("--operator KEY=ROLE")
	case reason == refusal.NotGranted:
		return grantHint("--share ROLE=PATH")
	}
	advice := hints[reason]
	if other, is := appHints[reason]; is && t.app != "" {
		advice = other
	}
	return t.filled(advice)
}

// filled fills in the marks of an advice: NX is the command for the system that was asked, APP the app.
func (t *target) filled(advice string) string {
	return strings.NewReplacer("NX", t.nx(), "APP", t.app).Replace(advice)
}

func grantHint(way string) string {
	return "whoever runs the system decides what it gives to whom: `nx up " + way + "`"
}

// start says how the system is started.
func (t *target) start() string {
	switch {
	case t.socket != "":
		return "a system shares a socket while it runs with `nx up --share ROLE=" + t.socket + "`"
	case t.remote.To != "":
		return "a device listens with `nx up --listen ADDR:PORT --operator KEY=ROLE`"
	}
	return "start it with `nx up --dir " + t.dir + "`"
}

// nx is the command for the system that was asked.
func (t *target) nx() string {
	switch {
	case t.remote.To != "":
		return "nx --to " + t.remote.To
	case t.socket != "":
		return "nx --socket " + t.socket
	}
	return "nx --dir " + t.dir
}

// report prints a failure: a line and its hint on stderr, and with --json an object on stdout.
func (t *terminal) report(f *failure) {
	fmt.Fprintf(t.host.Stderr, "nx: %s\n", f.text)
	for _, line := range f.words.lines() {
		fmt.Fprintf(t.host.Stderr, "  %s\n", clean(line))
	}
	if f.hint != "" {
		fmt.Fprintf(t.host.Stderr, "hint: %s\n", f.hint)
	}
	if t.json {
		printing.JSON(t.host.Stdout, struct {
			Error  string         `json:"error"`
			Reason refusal.Reason `json:"reason"`
			words
		}{f.text, f.reason, f.words})
	}
}
