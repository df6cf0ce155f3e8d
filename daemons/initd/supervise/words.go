package supervise

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"nexus/daemons/logclient"
)

// Bounds on what one instance of a daemon writes to standard error.
const (
	maxStderrLine  = 64 << 10 // bytes of a line; after a longer one nothing is passed on
	maxPassedOn    = 32       // lines that are passed on, so that a long trace does not push out what others say
	maxReport      = 32       // lines of a crash report
	maxReportBytes = 200      // of each of them
)

// The words of one instance are what is kept of its standard error: nothing normally, the trace after a panic.
type words struct {
	last   string   // the last line, which may say why it cannot start
	report []string // for a crash record: from the start of the newest trace, or else from the first line
}

// relay passes on what a daemon writes to standard error, and sends what is to be kept once that is closed.
func (c *child) relay(says io.ReadCloser, over chan<- words) {
	defer says.Close()
	lines := bufio.NewScanner(says)
	lines.Buffer(nil, maxStderrLine)
	var w words
	n := 0
	for ; lines.Scan(); n++ {
		line := printable(lines.Text())
		w.add(line)
		if n < maxPassedOn {
			// with a prefix, so that no line looks like a marker
			fmt.Fprintf(c.Stderr, "initd: %s wrote: %s\n", c.spec.Name, line)
			c.Log.Info("daemon wrote to standard error", "daemon", c.spec.Name, "line", line)
		}
	}
	if n > maxPassedOn {
		fmt.Fprintf(c.Stderr, "initd: %s wrote: and %d lines more\n", c.spec.Name, n-maxPassedOn)
	}
	over <- w
	io.Copy(io.Discard, says) // after a line that is too long: a full pipe would block the daemon, a closed one kill it
}

func (w *words) add(line string) {
	w.last = line
	if logclient.BeginsTrace(line) {
		w.report = nil
	}
	if len(w.report) < maxReport {
		w.report = append(w.report, strings.ToValidUTF8(line[:min(len(line), maxReportBytes)], ""))
	}
}

// hasTrace reports whether the report is the trace of a Go program.
func (w words) hasTrace() bool { return len(w.report) > 0 && logclient.BeginsTrace(w.report[0]) }

// crash puts the words into a crash report.
func (w words) crash(c logclient.Crash) logclient.Crash {
	c.Limits = logclient.LimitsIn(append(slices.Clone(w.report), w.last))
	if w.hasTrace() {
		c.Trace = w.report
	} else {
		c.Output = w.report
	}
	return c
}

// why returns the line that says why an instance ended: the first one of a trace, or else the last line.
func (w words) why() string {
	if w.hasTrace() {
		return w.report[0]
	}
	return w.last
}

// printable removes control characters from a line.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, line)
}

// wordsPatience is how long to wait for the output of an instance that has ended.
const wordsPatience = 50 * time.Millisecond

// wordsOf waits for the output of an instance that has ended, but not forever: another process may hold its standard
// error.
func (c *child) wordsOf() words {
	if c.words == nil {
		return words{}
	}
	select {
	case w := <-c.words:
		return w
	case <-c.Host.Clock.After(wordsPatience):
		return words{}
	}
}

// lastWord returns why a daemon cannot start, as it said itself.
func (c *child) lastWord() string {
	if last := c.wordsOf().last; last != "" {
		return last
	}
	return c.spec.Name + " cannot start"
}
