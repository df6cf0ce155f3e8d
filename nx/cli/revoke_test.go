package cli_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"nexus/nx/cli"
)

const revokedText = "revoked: updated has no LogSink until the system stops\nnext: `nx grant updated LogSink` undoes it\n"

func TestRevoke(t *testing.T) {
	p := startPeer(t)
	p.nx("revoke", "--yes", "updated", "LogSink").want(t, 0, revokedText, "")
	p.nx("revoke", "-y", "--json", "updated", "LogSink").want(t, 0, `{"client":"updated","service":"LogSink"}`+"\n", "")
	text := "cannot revoke HealthGate: updated is granted no HealthGate"
	p.nx("revoke", "-y", "--json", "updated", "HealthGate").want(t, 1,
		`{"error":"`+text+`","reason":"unknown-name"}`+"\n", "nx: "+text+"\n")
}

func TestGrant(t *testing.T) {
	p := startPeer(t)
	p.nx("grant", "updated", "LogSink").want(t, 0, "granted: updated has LogSink as the authority table says\n", "")
	text := "cannot grant HealthGate: updated is granted no HealthGate"
	p.nx("grant", "--json", "updated", "HealthGate").want(t, 1, `{"error":"`+text+`","reason":"unknown-name"}`+"\n",
		"nx: "+text+"\n")
}

// TestRevokeAsks holds each answer against what is done. Where nobody can be asked nothing is, and no system need run
// to say so.
func TestRevokeAsks(t *testing.T) {
	p := startPeer(t)
	const question = "Take LogSink from updated? What runs may fail for it. [y/N] "
	for answer, yes := range map[string]bool{"y\n": true, "YES\n": true, "y": true, "\n": false, "": false,
		"n\n": false, "yellow\n": false} {
		host := cli.Host{Stdin: strings.NewReader(answer), Asks: true}
		got := runOn(t.Context(), host, "--dir", p.dir, "revoke", "updated", "LogSink")
		if yes {
			got.want(t, 0, revokedText, question)
		} else {
			got.want(t, 1, "", question+"nx: cannot revoke LogSink: not confirmed\n")
		}
	}
	text := "cannot revoke LogSink: nobody can be asked whether this is meant"
	elsewhere := []string{"--dir", t.TempDir(), "revoke", "updated", "LogSink"}
	run(t.Context(), elsewhere...).want(t, 2, "", "nx: "+text+"\nhint: say so with --yes\n")
	asks := cli.Host{Stdin: strings.NewReader("y\n"), Asks: true}
	runOn(t.Context(), asks, append(elsewhere, "--json")...).want(t, 2,
		`{"error":"`+text+`","reason":"usage"}`+"\n", "nx: "+text+"\nhint: say so with --yes\n")
}

// TestRevokeIsInterrupted has nobody answer.
func TestRevokeIsInterrupted(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	defer reader.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := runOn(ctx, cli.Host{Stdin: io.Reader(reader), Asks: true}, "--dir", t.TempDir(), "revoke", "updated",
		"LogSink")
	if got.status != 1 || !strings.HasSuffix(got.stderr, "nx: cannot revoke LogSink: interrupted\n") {
		t.Errorf("interrupted: %+v", got)
	}
}
