package supervise

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// Bounds of what one instance of a daemon says on its standard error.
const (
	maxStderrLine = 64 << 10 // a line, bytes; after a longer one nothing is passed on
	// lines that become log records, so that one that ends loudly does not push out what others said
	maxRecorded    = 32
	maxReport      = 16  // lines of a crash report
	maxReportBytes = 200 // of each of them
)

// The words of one instance are what is worth keeping of its standard error: nothing in good times, a panic's trace in
// bad ones.
type words struct {
	last   string   // the last line: why it cannot start, if it says so
	report []string // for a crash record: from the beginning of the newest trace on, else from the first line on
}

// relay passes on what a daemon writes on its standard error, and sends what is worth keeping once that has ended.
func (c *child) relay(says io.ReadCloser, over chan<- words) {
	defer says.Close()
	lines := bufio.NewScanner(says)
	lines.Buffer(nil, maxStderrLine)
	var w words
	for n := 1; lines.Scan(); n++ {
		line := printable(lines.Text())
		w.add(line)
		// under a name that no marker has, and none that the daemon chose
		fmt.Fprintf(c.Stderr, "initd: %s wrote: %s\n", c.spec.Name, line)
		if n <= maxRecorded {
			c.Log.Info("daemon wrote to standard error", "daemon", c.spec.Name, "line", line)
		}
	}
	over <- w
	io.Copy(io.Discard, says) // after a line without end: a full pipe would stop the daemon, a closed one kill it
}

func (w *words) add(line string) {
	w.last = line
	if beginsTrace(line) {
		w.report = nil
	}
	if len(w.report) < maxReport {
		w.report = append(w.report, strings.ToValidUTF8(line[:min(len(line), maxReportBytes)], ""))
	}
}

// why is the one line that says why an instance ended, as far as it said so: the beginning of a trace, or else the last
// line.
func (w words) why() string {
	if len(w.report) > 0 && beginsTrace(w.report[0]) {
		return w.report[0]
	}
	return w.last
}

// beginsTrace tells the line in which a Go program says why it crashes. What comes after it is where.
func beginsTrace(line string) bool {
	for _, beginning := range []string{"panic: ", "fatal error: ", "SIGQUIT: ", "SIGABRT: ", "SIGSEGV: "} {
		if strings.HasPrefix(line, beginning) {
			return true
		}
	}
	return false
}

// printable has a line hold nothing that a terminal would obey.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, line)
}

// wordsPatience is how long to wait for the last words of an instance that has ended.
const wordsPatience = 50 * time.Millisecond

// wordsOf waits for what an instance that has ended wrote, but not for ever: another process may hold its standard
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

// lastWord is why a daemon cannot start, in its own words.
func (c *child) lastWord() string {
	if last := c.wordsOf().last; last != "" {
		return last
	}
	return c.spec.Name + " cannot start"
}
