package cli_test

import (
	"os"
	"strings"
	"testing"

	"nexus/nx/cli"
)

// TestOutputThatCannotBeWritten has every verb that answers at once answer into a device that is full.
func TestOutputThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, line := range []string{
		"status", "history", "services", "bundles", "graph", "graph --dot", "graph --svg", "log", "floor", "floor show",
		"floor lower 1.0.0", "verify",
		"run good", "revoke --yes updated LogSink", "grant updated LogSink", "--help", "status --help",
	} {
		p := startPeer(t)
		for _, form := range []string{"", "--json "} {
			if form != "" && (strings.Contains(line, "--") && !strings.Contains(line, "--yes")) || form == "" &&
				line == "run good" {
				continue // has no such form, or nothing to say
			}
			args := append([]string{"--dir", p.dir}, strings.Fields(form+line)...)
			got := runOn(t.Context(), cli.Host{Stdout: full}, args...)
			what := "the answer"
			if strings.Contains(line, "--help") {
				what = "help"
			}
			got.want(t, 1, "", "nx: cannot print "+what+": no space left on device\n")
			if t.Failed() {
				t.Fatalf("nx %s%s", form, line)
			}
		}
	}
}

// TestFailureThatCannotBeWritten keeps the verb's own failure: it is on stderr.
func TestFailureThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	got := runOn(t.Context(), cli.Host{Stdout: full}, "--json", "--dir", "nowhere", "status")
	if got.status != 1 || !strings.HasPrefix(got.stderr,
		"nx: cannot reach the system in nowhere: no system runs there\n") {
		t.Errorf("%+v", got)
	}
}
