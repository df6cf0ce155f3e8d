package nxspack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"nexus/nxspack"
)

func TestExitStatus(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		packer func([]string, *bytes.Buffer, *bytes.Buffer) int
		args   string
		want   int
	}{
		{set, "--help", 0},
		{set, "pack --help", 0},
		{set, "", 2},
		{set, "unpack x.nxs", 2},
		{set, "verify x.nxs", 2},
		{set, "verify --trust", 2},
		{set, "inspect", 2},
		{set, "inspect a.nxs b.nxs", 2},
		{set, "diff a.nxs", 2},
		{set, "delta a.nxs b.nxs --output d.nxdelta", 2},
		{set, "delta a.nxs --key k --output d.nxdelta", 2},
		{set, "apply a.nxs d.nxdelta --output b.nxs", 2},
		{set, "apply a.nxs d.nxdelta --trust k", 2},
		{set, "keygen", 2},
		{set, "keygen --output key.pub", 2},
		{set, "--input d --meta m --key k", 2},
		{set, "--input d --meta m --key k --output o --limit-archive 17GiB", 2},
		{set, "--input d --meta m --key k --output o --limit-archive 0", 2},
		{set, "--input d --meta m --key k --output o --limit-payload -1", 2},
		{set, "--input d --meta m --key k --output o --limit-payload much", 2},
		{set, "verify --trust k --limit-payload 16GiB no-such-set", 1},
		{set, "inspect no-such-set", 1},
		{bundle, "--help", 0},
		{bundle, "", 2},
		{bundle, "payload", 2},
		{bundle, "payload out.nxb more", 2},
		{bundle, "--limit-payload 17GiB payload out.nxb", 2},
		{bundle, "no-such-payload out.nxb", 1},
	} {
		var stdout, stderr bytes.Buffer
		got := c.packer(strings.Fields(c.args), &stdout, &stderr)
		if got != c.want {
			t.Errorf("%q: got %d, want %d\n%s", c.args, got, c.want, &stderr)
		}
		if lines := strings.Count(stderr.String(), "\n"); c.want != 0 && (lines < 1 || lines > 2 || stdout.Len() > 0) {
			t.Errorf("%q: want one line and at most a hint, got stderr %q, stdout %q", c.args, &stderr, &stdout)
		}
	}
}

// The hint names the help of the command that was typed.
func TestUsageHint(t *testing.T) {
	for args, named := range map[string]string{"": "nxs-pack", "--input d": "nxs-pack", "verify": "nxs-pack verify",
		"root init": "nxs-pack root init", "keygen --frob": "nxs-pack keygen"} {
		var stdout, stderr bytes.Buffer
		set(strings.Fields(args), &stdout, &stderr)
		if want := "hint: `" + named + " --help` shows the usage\n"; !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("%q: got %q, want %q at its end", args, &stderr, want)
		}
	}
}

func set(args []string, stdout, stderr *bytes.Buffer) int {
	return nxspack.RunSetPacker(context.Background(), args, stdout, stderr)
}

func bundle(args []string, stdout, stderr *bytes.Buffer) int {
	return nxspack.RunBundlePacker(context.Background(), args, stdout, stderr)
}

// With --json, every run ends with one JSON object on stdout.
func TestErrorsAsJSON(t *testing.T) {
	for args, want := range map[string]string{
		"--json":                        "usage",
		"inspect --json none":           "io",
		"inspect --json=true none":      "io",
		"verify --json --trust zz none": "io",
	} {
		var stdout, stderr bytes.Buffer
		set(strings.Fields(args), &stdout, &stderr)
		var got struct{ Error, Reason string }
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got.Reason != want || got.Error == "" {
			t.Errorf("%q: got %q, %v, want reason %s", args, &stdout, err, want)
		}
	}
}
