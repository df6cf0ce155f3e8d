package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const webRule = `[[allow]]
publisher = "*"
bundle = "hello"
powers = ["net.listen:tcp/8080"]
`

// The policy is shown as it was set, with what is odd about it; what a bundle gets is explained by it.
func TestPolicy(t *testing.T) {
	p := startPeer(t)
	file := func(text string) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "policy.toml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	p.nx("policy").want(t, 0, "no policy is set, so no bundle has any power\n", "")
	p.nx("explain", "hello").want(t, 0, "hello asks for no power\n", "")
	p.nx("explain", "--json", "hello").want(t, 0, "[]\n", "")
	p.change(func(s *peerState) { s.asks = []string{"BundleMgr", "net.listen:tcp/8080", "net.listen:tcp/1"} })
	p.nx("explain", "hello").want(t, 0, "POWER                GRANTED  WHY\n"+
		"net.listen:tcp/8080  no       the device has no policy that grants it\n"+
		"net.listen:tcp/1     no       the device has no policy that grants it\n", "")

	p.nx("policy", "set", file(webRule)).want(t, 0,
		"the policy is set: it counts for what is staged and started from now on\n", "")
	p.nx("policy", "show").want(t, 0, webRule, "")
	p.nx("explain", "hello").want(t, 0, "POWER                GRANTED  WHY\n"+
		"net.listen:tcp/8080  yes      by the rule at line 1 of the policy\n"+
		"net.listen:tcp/1     no       no rule of the policy grants it\n", "")
	p.nx("explain", "--json", "hello").want(t, 0, `[{"power":"net.listen:tcp/8080","granted":true,"line":1},`+
		`{"power":"net.listen:tcp/1","granted":false,"detail":"no rule of the policy grants it"}]`+"\n", "")

	const idle = "note: line 5: this rule can never grant anything: the rules above it grant all of it\n"
	p.change(func(s *peerState) { s.machine = true })
	p.nx("policy", "set", file(webRule+webRule)).want(t, 0, "the policy is set, until the machine starts again: "+
		"it counts for what is staged and started from now on\n", idle)
	p.nx("policy").want(t, 0, webRule+webRule, idle)
	indented := strings.ReplaceAll(webRule, "\n", "\n\t")
	p.change(func(s *peerState) { s.policy = indented })
	p.nx("policy").want(t, 0, indented, "")
	p.change(func(s *peerState) { s.policy = "# \u202eevil\n" + webRule })
	if got := p.nx("policy"); got.status != 0 || strings.Contains(got.stdout, "\u202e") ||
		!strings.HasSuffix(got.stdout, "\n"+webRule) {
		t.Errorf("a policy that disturbs a terminal is shown as %q", got.stdout)
	}
	p.nx("policy", "set", file("")).want(t, 0, "the policy is removed, until the machine starts again: "+
		"what is staged and started from now on gets no power\n", "")
	p.nx("policy", "--json").want(t, 0, `{"text":"","warnings":[]}`+"\n", "")
}

func TestPolicyRefused(t *testing.T) {
	p := startPeer(t)
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte(webRule+"limit = 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.nx("policy", "set", "--json", bad).want(t, 1,
		`{"error":"cannot set policy `+bad+`: line 1: limit: 99 is not 0 to 16","reason":"bad-policy"}`+"\n",
		"nx: cannot set policy "+bad+": line 1: limit: 99 is not 0 to 16\n")
	p.nx("policy").want(t, 0, "no policy is set, so no bundle has any power\n", "")
	if got := p.nx("policy", "set", bad+".missing"); got.status != 1 ||
		!strings.Contains(got.stderr, "cannot set policy "+bad+".missing: no such file or directory") {
		t.Errorf("a file that is not there: %+v", got)
	}
	p.nx("explain", "--json", "nobody").want(t, 1,
		`{"error":"cannot explain nobody: no published bundle has this name","reason":"unknown-bundle"}`+"\n",
		"nx: cannot explain nobody: no published bundle has this name\n"+
			"hint: `nx --dir "+p.dir+" bundles` shows what is published\n")
	if got := p.nx("up", "--policy", bad); got.status != 1 ||
		!strings.Contains(got.stderr, "cannot use policy "+bad+": line 1: limit: 99 is not 0 to 16") {
		t.Errorf("up with a bad policy: %+v", got)
	}
}
