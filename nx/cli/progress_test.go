package cli_test

import (
	"strings"
	"testing"

	"nexus/nx/cli"
)

// On a terminal the bar is gone in the end; what was drawn never reaches stdout.
func TestProgressOnATerminal(t *testing.T) {
	p := startPeer(t)
	file, _ := archive(t)
	var stdout, stderr lockedBuffer
	status := cli.Run(t.Context(), []string{"--dir", p.dir, "stage", file}, cli.Host{
		Stdout: &stdout, Stderr: &stderr, Terminal: true, Getenv: func(string) string { return "" },
	})
	if status != 0 || !strings.HasPrefix(stdout.String(), "staged 1.2.0 for slot b") ||
		strings.ContainsAny(stdout.String(), "\r\x1b") {
		t.Errorf("status %d, stdout %q", status, stdout.String())
	}
	drawn := stderr.String()
	if !strings.Contains(drawn, "system-v1.2.0.nxs") || strings.Contains(drawn, "\n") {
		t.Errorf("drawn: %q, want a bar with the file's name, on one line", drawn)
	}
	if last := drawn[strings.LastIndex(drawn[:len(drawn)-1], "\r"):]; strings.Trim(last, "\r \x1b[2K") != "" {
		t.Errorf("what is left on the line: %q", last)
	}
}
