package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
	"nexus/nx/cli"
)

// A launch is what nx up would become.
type launch struct {
	path      string
	argv, env []string
}

// up runs nx up with a binary beside it, in a folder of its own.
func up(t *testing.T, args ...string) (outcome, *launch) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"nx", "nexus"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr lockedBuffer
	var launched *launch
	status := cli.Run(t.Context(), append([]string{"up"}, args...), cli.Host{
		Stdout: &stdout, Stderr: &stderr,
		Getenv: func(name string) string {
			if name == "NX_DIR" {
				return "/from/environment"
			}
			return ""
		},
		Executable: func() (string, error) { return filepath.Join(bin, "nx"), nil },
		Exec: func(path string, argv, env []string) error {
			launched = &launch{strings.TrimPrefix(path, bin), argv, env}
			return errors.New("exec is over")
		},
	})
	return outcome{status, stdout.String(), stderr.String()}, launched
}

func TestUpBecomesInitd(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key.pub")
	set := filepath.Join(t.TempDir(), "system-v1.0.0.nxs")
	if err := errors.Join(os.WriteFile(key, []byte(updatestest.Key(1).Public().String()+"\n"), 0o644),
		os.WriteFile(set, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	sets := filepath.Dir(set)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"by default", nil,
			"initd --dir /from/environment --limit-archive 104857600 --limit-payload 52428800 --tries 2 --floor signed --settle 1s --health-deadline 30s --watch 1m0s --hang 10s"},
		{"with all", []string{"--dir", "d", "--trust", key, "--trust", updatestest.Key(2).Public().Text(), "--factory",
			set, "--limit-archive", "2GiB",
			"--limit-payload=500MB", "--tries", "3", "--settle", "200ms", "--health-deadline", "1m", "--selftest",
			sets},
			"initd --dir d --trust " + key + " --trust " + updatestest.Key(2).Public().Text() + " --factory " + set +
				" --limit-archive 2147483648 --limit-payload 500000000 --tries 3 --floor signed --settle 200ms --health-deadline 1m0s --watch 1m0s --hang 10s --selftest " + sets},
		{"with sockets for others", []string{"--share", "status=/run/a,b/status.sock", "--share", "stage=stage.sock"},
			"initd --dir /from/environment --limit-archive 104857600 --limit-payload 52428800 --tries 2 --floor signed --settle 1s --health-deadline 30s --watch 1m0s --hang 10s " +
				"--share status=/run/a,b/status.sock --share stage=stage.sock"},
		{"at the bounds", []string{"--limit-archive", "16GiB", "--limit-payload", "1"},
			"initd --dir /from/environment --limit-archive 17179869184 --limit-payload 1 --tries 2 --floor signed --settle 1s --health-deadline 30s --watch 1m0s --hang 10s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, launched := up(t, c.args...)
			if launched == nil {
				t.Fatalf("nothing was started: %s", got.stderr)
			}
			if argv := strings.Join(launched.argv, " "); argv != c.want {
				t.Errorf("argv:\n%s\nwant:\n%s", argv, c.want)
			}
			if launched.path != "/nexus" || len(launched.env) != 0 {
				t.Errorf("path %s, environment %q, want /nexus and none", launched.path, launched.env)
			}
		})
	}
}

// The defaults on the command line are those of the format.
func TestUpDefaults(t *testing.T) {
	_, launched := up(t)
	limits := nxs.DefaultLimits()
	if limits.Archive != 100<<20 || limits.Payload != 50<<20 || !slices.Contains(launched.argv, "104857600") ||
		!slices.Contains(launched.argv, "52428800") {
		t.Errorf("argv %q does not hold the limits %+v", launched.argv, limits)
	}
}

func TestUpRefuses(t *testing.T) {
	bad, private := filepath.Join(t.TempDir(), "bad.pub"), filepath.Join(t.TempDir(), "publisher")
	err := errors.Join(os.WriteFile(bad, []byte("no key"), 0o644),
		os.WriteFile(private, []byte(trust.SeedText([32]byte{1})+"\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string // in stderr
	}{
		{[]string{"--limit-archive", "17GiB"}, 2, "want 1 byte to 16 GiB"},
		{[]string{"--limit-archive", "0"}, 2, "want 1 byte to 16 GiB"},
		{[]string{"--limit-payload", "-1"}, 2, "nx: "},
		{[]string{"--limit-payload", "lots"}, 2, "want a number with a unit"},
		{[]string{"--settle=-1s"}, 2, "nx: cannot use settle time -1s: "},
		{[]string{"--settle", "1m", "--health-deadline", "1m"}, 2, "nx: cannot use settle time 1m0s: "},
		{[]string{"--health-deadline", "2h"}, 2, "nx: cannot use deadline 2h0m0s: "},
		{[]string{"--hang", "1ms"}, 2, "nx: cannot take 1ms without an answer for hung: "},
		{[]string{"--tries", "0"}, 2, "nx: cannot use 0 tries: "},
		{[]string{"--tries", "17"}, 2, "nx: cannot use 17 tries: "},
		{[]string{"--frob"}, 2, "nx: unknown flag --frob"},
		{[]string{"extra"}, 2, "nx: unexpected argument extra"},
		{[]string{"--trust", bad}, 1, "nx: cannot trust " + bad + ": "},
		{[]string{"--trust", "none.pub"}, 1, "nx: cannot trust none.pub: no such file or directory\n"},
		{[]string{"--trust", private}, 1, "nx: cannot trust " + private + ": it is a private key"},
		{[]string{"--trust", trust.SeedText([32]byte{1})}, 1, "nx: cannot trust (given as text): it is a private key"},
		{[]string{"--trust", strings.Repeat("01", 32)}, 1,
			"nx: cannot trust (given as text): 64 hex digits do not say"},
		{[]string{"--factory", "none.nxs"}, 1, "nx: cannot use factory set none.nxs: no such file or directory\n"},
		{[]string{"--selftest", bad}, 1, "nx: cannot use sets in " + bad + ": it is not a folder\n"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			got, launched := up(t, c.args...)
			if launched != nil {
				t.Error("something was started")
			}
			if got.status != c.status || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
				t.Errorf("status %d, stderr %q, want %d with %q", got.status, got.stderr, c.status, c.want)
			}
		})
	}
}

func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	text := "cannot reach the system in " + dir + ": no system runs there"
	for _, verb := range []string{"status", "switch", "rollback", "discard", "history", "bundles", "services", "graph",
		"log", "shutdown", "reboot"} {
		run(context.Background(), "--dir", dir, "--json", verb).want(t, 1,
			`{"error":"`+text+`","reason":"not-running"}`+"\n",
			"nx: "+text+"\nhint: start it with `nx up --dir "+dir+"`\n")
	}
}

func TestUsage(t *testing.T) {
	hint := "hint: `nx --help` shows the verbs, `nx VERB --help` one of them\n"
	run(t.Context(), "frob", "--json").want(t, 2, `{"error":"unexpected argument frob","reason":"usage"}`+"\n",
		"nx: unexpected argument frob\n"+hint)
	run(t.Context(), "log", "--lines", "100001").want(t, 2, "", "nx: --lines must be 1 to 100000\n"+hint)
	run(t.Context(), "graph", "--dot", "--json").want(t, 2,
		`{"error":"--dot and --json exclude each other","reason":"usage"}`+"\n",
		"nx: --dot and --json exclude each other\n"+hint)
	for args, named := range map[string]string{"": "", "stage": "stage", "log --level loud": "log", "stage a b": "stage",
		"status --frob": "status", "trust frob": "trust", "trust add": "trust add", "revoke x": "revoke"} {
		want := hint
		if named != "" {
			want = "hint: `nx " + named + " --help` shows the usage\n"
		}
		got := run(t.Context(), strings.Fields(args)...)
		if got.status != 2 || got.stdout != "" || !strings.HasSuffix(got.stderr, want) {
			t.Errorf("nx %s: status %d, %s%s", args, got.status, got.stdout, got.stderr)
		}
	}
	for _, args := range [][]string{{"--help"}, {"up", "--help"}, {"stage", "--help"}} {
		if got := run(t.Context(), args...); got.status != 0 || got.stderr != "" ||
			!strings.HasPrefix(got.stdout, "Usage: nx ") {
			t.Errorf("nx %q: status %d, %s%s", args, got.status, got.stdout, got.stderr)
		}
	}
}
