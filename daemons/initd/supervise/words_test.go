package supervise

import (
	"io"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/logclient"
	"nexus/daemons/vat"
)

// TestWordsKeepThePanic wants of all that a life wrote what it died of, and no more than fits a record.
func TestWordsKeepThePanic(t *testing.T) {
	chatter := slices.Repeat([]string{"peer broke protocol"}, 100)
	trace := []string{"panic: boom", "", "goroutine 1 [running]:", "main.main()"}
	for _, c := range []struct {
		name         string
		wrote        []string
		report, last string // report is joined by |
	}{
		{"nothing", nil, "", ""},
		{"a reason", []string{"cannot open: no such file"}, "cannot open: no such file", "cannot open: no such file"},
		{"a panic", trace, "panic: boom||goroutine 1 [running]:|main.main()", "main.main()"},
		{"a panic after much else", slices.Concat(chatter, trace), "panic: boom||goroutine 1 [running]:|main.main()",
			"main.main()"},
		{"a panic in a panic", slices.Concat(trace, []string{"panic: again"}), "panic: again", "panic: again"},
		{"a long trace", slices.Concat(trace[:1], chatter), "panic: boom" +
			strings.Repeat("|peer broke protocol", maxReport-1), "peer broke protocol"},
		{"a long line", []string{strings.Repeat("x", 1000)}, strings.Repeat("x", maxReportBytes),
			strings.Repeat("x", 1000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w words
			for _, line := range c.wrote {
				w.add(line)
			}
			if got := strings.Join(w.report, "|"); got != c.report || w.last != c.last {
				t.Errorf("got %q and %q, want %q and %q", got, w.last, c.report, c.last)
			}
		})
	}
}

// TestConsoleIsNotFlooded has a daemon end with the trace of many goroutines: the console gets the first lines of it.
func TestConsoleIsNotFlooded(t *testing.T) {
	for _, c := range []struct{ lines, shown int }{{maxPassedOn, maxPassedOn}, {5000, maxPassedOn + 1}} {
		says, daemon := io.Pipe()
		go func() {
			io.WriteString(daemon, strings.Repeat("goroutine 1 [running]:\n", c.lines))
			daemon.Close()
		}()
		var console strings.Builder
		d := &child{spec: Spec{Name: "execd"}, Config: Config{Stderr: &console,
			Log: logclient.New("initd", vat.NewHolding("LogSink"))}}
		over := make(chan words, 1)
		d.relay(says, over)
		lines := strings.Split(strings.TrimSpace(console.String()), "\n")
		if len(lines) != c.shown || len((<-over).report) == 0 {
			t.Errorf("of %d lines %d were shown, the last of which is %q", c.lines, len(lines), lines[len(lines)-1])
		}
		if want := "initd: execd wrote: and 4968 lines more"; c.lines == 5000 && lines[len(lines)-1] != want {
			t.Errorf("got %q, want %q", lines[len(lines)-1], want)
		}
	}
}

// TestWordsArePrintable keeps a daemon from steering the terminal that shows its words.
func TestWordsArePrintable(t *testing.T) {
	got := printable("\rinit: health ok (slot b)\x1b[2J\tdöner\xff")
	if want := "?init: health ok (slot b)?[2J\tdöner\uFFFD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
