package logclient_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/daemons/logclient"
)

// A crash report has all that is known, and nothing of what is not.
func TestCrashReport(t *testing.T) {
	p := start(t, "execd")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	p.log.Crash(logclient.Crash{
		Process: "bundle:hello", Exit: "signal 9 (killed)", Signal: 9, Version: "1.2.0", Slot: "b", Set: "abcd",
		Uptime: 1500 * time.Millisecond, Restarts: 3, Limits: []string{"memory", "pids"},
		Output: []string{"one", "two"},
		Trace:  []string{"panic: boom", "", "goroutine 1 [running]:"},
	})
	p.log.Crash(logclient.Crash{Process: "updated", Exit: "exit code 2", Code: 2})
	p.log.Crash(logclient.Crash{Process: "updated", Trace: slices.Repeat([]string{strings.Repeat("x", 99)}, 100)})
	got, _ := sink.collect(t, 3)
	for i, want := range []string{
		"process=bundle:hello exit=signal 9 (killed) signal=9 version=1.2.0 slot=b set=abcd uptime=1.5s restarts=3 " +
			"limits=memory,pids output=one\ntwo trace=panic: boom\n\ngoroutine 1 [running]:",
		"process=updated exit=exit code 2 code=2 uptime=0s restarts=0",
	} {
		if line := line(got[i]); !strings.HasSuffix(line, want) {
			t.Errorf("got  %q\nwant %q", line, want)
		}
	}
	if trace := got[2].Value("trace"); len(trace) != 40*100-1 {
		t.Errorf("the beginning of a long trace has %d bytes", len(trace))
	}
}

func TestLimitsIn(t *testing.T) {
	for line, want := range map[string]string{
		"":                                    "",
		"open x: permission denied":           "",
		"accept: Too many open files":         "descriptors",
		"fatal error: runtime: out of memory": "memory",
		"runtime: failed to create new OS thread (have 5 already; errno=11)": "pids",
		"write /s/x: disk quota exceeded":                                    "quota",
		"write: no space left on device, then: cannot allocate memory":       "memory,quota",
	} {
		if got := strings.Join(logclient.LimitsIn([]string{"first", line}), ","); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
