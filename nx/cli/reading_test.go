package cli_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"nexus/nx/cli"
)

func TestHistory(t *testing.T) {
	p := startPeer(t)
	p.nx("history").want(t, 0, ""+
		"ATTEMPT  STEP      SLOT  VERSION  SET           REASON\n"+
		"1        stage     b     1.2.0    cccccccccccc  -\n"+
		"3        rollback  b     1.2.0    cccccccccccc  service-exited\n", "")
	p.nx("history", "--json").want(t, 0,
		`[{"op":"stage","slot":"b","systemVersion":"1.2.0","indexSha256":"`+hexCC+`","reason":null,"boot":1},`+
			`{"op":"rollback","slot":"b","systemVersion":"1.2.0","indexSha256":"`+hexCC+`","reason":"service-exited","boot":3}]`+"\n", "")
}

func TestBundles(t *testing.T) {
	p := startPeer(t)
	p.nx("bundles").want(t, 0, "1.0.0 in slot a\n"+
		"BUNDLE  VERSION  SIZE     ABILITIES              ASKS FOR\n"+
		"hello   1.0.0    2.0 KiB  nexus.ability.Service  -\n", "")
	p.nx("bundles", "--json").want(t, 0,
		`{"slot":"a","systemVersion":"1.0.0","indexSha256":"`+hexAA+`","boot":1,"bundles":[{"name":"hello",`+
			`"version":"1.0.0","abilities":["nexus.ability.Service"],"capabilities":[],"payloadSize":2048,"payloadSha256":"`+
			strings.Repeat("01", 32)+`","manifestSha256":"`+strings.Repeat("02", 32)+`"}]}`+"\n", "")
}

func TestServices(t *testing.T) {
	p := startPeer(t)
	p.nx("services").want(t, 0, ""+
		"NAME   VERSION  STATE    KIND            PID  MEMORY   RESTARTS  DETAIL\n"+
		"hello  1.0.0    healthy  native service  200  -        0         greeting\uFFFD[2J\n"+
		"logd   -        ready    daemon          101  5.0 MiB  0         -\n"+
		"execd  -        stopped  daemon          -    -        1         signal 9 (killed)\n", "")
}

func TestGraph(t *testing.T) {
	p := startPeer(t)
	p.nx("graph").want(t, 0, ""+
		"HOLDER   HOLDS       FROM       FOR\n"+
		"updated  Verifier    keystored  system\n"+
		"updated  dir:system  -          -\n", "")
	p.nx("graph", "--dot").want(t, 0, "digraph nexus {\n\trankdir=LR;\n"+
		"\t\"updated\" -> \"keystored\" [label=\"Verifier system\"];\n"+
		"\t\"dir:system\" [shape=folder];\n\t\"updated\" -> \"dir:system\";\n}\n", "")
	p.nx("graph", "--svg", "--json").want(t, 2, `{"error":"--svg and --json exclude each other","reason":"usage"}`+"\n",
		"nx: --svg and --json exclude each other\nhint: `nx --help` shows the verbs, `nx VERB --help` one of them\n")
	p.nx("graph", "--json").want(t, 0,
		`[{"holder":"updated","facet":"Verifier","provider":"keystored","grants":["system"]},`+
			`{"holder":"updated","facet":"dir:system","provider":null,"grants":[]}]`+"\n", "")
}

func TestLog(t *testing.T) {
	p := startPeer(t)
	p.nx("log", "--sender", "updated", "--level", "warn").want(t, 0,
		"2023-11-14T22:13:20.123Z warn  updated: staged\uFFFD]0;evil\uFFFD slot=b detail=\"two words\"\n", "")
	p.nx("log", "--json", "--sender", "bundle:hello", "--level", "info").want(t, 0,
		`{"sequence":7,"time":"2023-11-14T22:13:20.123Z","sender":"bundle:hello","level":"info","kind":"message",`+
			`"message":"staged\u001b]0;evil\u0007","fields":[{"key":"slot","value":"b"},{"key":"detail","value":"two words"}],`+
			`"boot":0,"durable":false}`+"\n", "")
}

// A bundle may be named as it is, unless a daemon has that name. Who names nobody is told who there is.
func TestLogOfASender(t *testing.T) {
	p := startPeer(t)
	for named, want := range map[string]string{"hello": "bundle:hello", "bundle:hello": "bundle:hello",
		"updated": "updated", "bundle:updated": "bundle:updated"} {
		got := p.nx("log", "--sender", named)
		if got.status != 0 || !strings.Contains(got.stdout, " "+want+": staged") || got.stderr != "" {
			t.Errorf("%s: %+v", named, got)
		}
	}
	for _, nobody := range []string{"helo", "bundle:logd"} {
		got := p.nx("log", "--sender", nobody)
		want := "note: nothing in the journal is from " + nobody +
			"; its senders are bundle:hello, bundle:updated, logd, updated\n"
		if got.status != 0 || got.stderr != want {
			t.Errorf("%s: %+v, want %q", nobody, got, want)
		}
	}
}

// Following ends with an interrupt, which is no failure.
func TestLogFollow(t *testing.T) {
	p := startPeer(t)
	ctx, interrupt := context.WithTimeout(t.Context(), patience)
	defer interrupt()
	var stderr lockedBuffer
	stdout := &interrupting{interrupt: interrupt}
	status := cli.Run(ctx, []string{"--dir", p.dir, "log", "-f", "--sender", "logd", "--level", "info"},
		cli.Host{Stdout: stdout, Stderr: &stderr, Getenv: func(string) string { return "" }})
	outcome{status, stdout.String(), stderr.String()}.want(t, 0,
		"2023-11-14T22:13:20.123Z info  logd: staged\uFFFD]0;evil\uFFFD slot=b detail=\"two words\"\n", "")
}

// An interrupting buffer stands for an operator who has seen enough.
type interrupting struct {
	lockedBuffer
	interrupt func()
}

func (i *interrupting) Write(p []byte) (int, error) {
	defer i.interrupt()
	return i.lockedBuffer.Write(p)
}

func TestRunBundle(t *testing.T) {
	p := startPeer(t)
	p.nx("run", "good").want(t, 0, "", "")
	p.nx("run", "--json", "good").want(t, 0, `{"exitCode":0,"signal":0}`+"\n", "")
	p.nx("run", "bad").want(t, 1, "", "nx: cannot run bad: ended with exit code 3\n")
	p.nx("run", "--json", "bad").want(t, 1, `{"exitCode":3,"signal":0}`+"\n", "nx: cannot run bad: ended with exit code 3\n")
	p.nx("run", "killed").want(t, 1, "", "nx: cannot run killed: ended with signal 9\n")
	p.nx("run", "--json", "none").want(t, 1,
		`{"error":"cannot run none: no published bundle has this name","reason":"unknown-bundle"}`+"\n",
		"nx: cannot run none: no published bundle has this name\nhint: `nx --dir "+p.dir+" bundles` shows what is published\n")
}

func TestShutdownWaitsForTheEnd(t *testing.T) {
	p := startPeer(t)
	p.nx("shutdown").want(t, 0, "the system in "+p.dir+" is down\n", "")
	p.nx("shutdown", "--json").want(t, 0, "{}\n", "")
}

func TestRebootWaitsForTheEnd(t *testing.T) {
	p := startPeer(t)
	p.nx("reboot").want(t, 0, "the system in "+p.dir+" is down and begins anew\n", "")
	p.nx("reboot", "--json").want(t, 0, "{}\n", "")
	p.stopping.Store(true)
	text := "cannot reboot the system in " + p.dir + ": another end was ordered before"
	p.nx("reboot").want(t, 1, "", "nx: "+text+"\n")
	p.nx("reboot", "--json").want(t, 1, `{"error":"`+text+`","reason":"superseded"}`+"\n", "nx: "+text+"\n")
	socket := filepath.Join(p.dir, "control.sock")
	run(t.Context(), "--socket", socket, "reboot").want(t, 1, "",
		"nx: cannot reboot the system at "+socket+": another end was ordered before\n")
}

// Times are shown where they are known, and a clock that knew no date gives none.
func TestHistoryTimes(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.times = [2]int64{5_000, 1_700_000_000_123} })
	p.nx("history").want(t, 0, ""+
		"ATTEMPT  TIME                      STEP      SLOT  VERSION  SET           REASON\n"+
		"1        clock-not-set             stage     b     1.2.0    cccccccccccc  -\n"+
		"3        2023-11-14T22:13:20.123Z  rollback  b     1.2.0    cccccccccccc  service-exited\n", "")
	got := p.nx("history", "--json")
	for _, want := range []string{`"time":"1970-01-01T00:00:05.000Z","clockNotSet":true}`,
		`"time":"2023-11-14T22:13:20.123Z"}`} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %s in %s", want, got.stdout)
		}
	}
}

func TestLogSince(t *testing.T) {
	p := startPeer(t)
	for since, want := range map[string]string{
		"10m": "0 600000", "1500ms": "0 1500", "2026-01-02": "1767312000000 0",
		"2026-01-02T03:04:05Z": "1767323045000 0", "2026-01-02T03:04": "1767323040000 0",
	} {
		p.nx("log", "--sender", "updated", "--since", since)
		if got := p.lastSince(); got != want {
			t.Errorf("--since %s: asked for %s, want %s", since, got, want)
		}
	}
	for _, since := range []string{"yesterday", "-10m", "0s", "1970-01-01"} {
		if got := p.nx("log", "--since="+since); got.status != 2 || !strings.Contains(got.stderr, "is not a time") {
			t.Errorf("--since %s: status %d, %s", since, got.status, got.stderr)
		}
	}
}

// lastSince is from when on records were asked for last: the time, and how long ago.
func (p *peer) lastSince() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since
}
