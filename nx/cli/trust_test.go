package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
	"nexus/nx/cli"
)

// Keys are added and removed by file, text or the beginning of their hex; each change says how to undo it.
func TestTrust(t *testing.T) {
	p := startPeer(t)
	one, two := updatestest.Key(1).Public(), updatestest.Key(2).Public()
	file := filepath.Join(t.TempDir(), "publisher.pub")
	if err := os.WriteFile(file, []byte(one.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.nx("trust").want(t, 0, "no key is trusted, so no set can be verified\n", "")
	p.nx("trust", "--json").want(t, 0, folderJSON("")+"\n", "")
	p.nx("trust", "add", file).want(t, 0, "trusted for the role system: "+one.String()+"\n", "")
	p.nx("trust", "add", "--json", two.Text()).want(t, 0,
		`{"role":"system","publicKey":"`+two.String()+`","kept":true}`+"\n", "")
	p.change(func(s *peerState) { s.machine = true })
	p.nx("trust", "add", "--role", "apps", two.Text()).want(t, 0,
		"trusted for the role apps: "+two.String()+", until the machine restarts: then the keys in its image count again\n",
		"")
	p.change(func(s *peerState) { s.machine = false })
	keys := []string{one.String(), two.String()}
	slices.Sort(keys)
	p.nx("trust", "--json").want(t, 0,
		folderJSON(grantJSON("apps", two.String())+","+grantJSON("system", keys...))+"\n", "")
	for _, text := range []string{one.String(), two.String(), "apps    " + two.String()} {
		if got := p.nx("trust", "list"); got.status != 0 || !strings.Contains(got.stdout, text) {
			t.Errorf("list: %+v, want %q", got, text)
		}
	}
	p.nx("trust", "remove", "-y", "--role", "apps", strings.ToUpper(two.String()[:6])).want(t, 0,
		"no longer trusted for the role apps: "+two.String()+"\n"+
			"next: `nx trust add --role apps "+two.Text()+"` undoes it\n", "")
	p.nx("trust", "remove", "-y", file).want(t, 0, "no longer trusted for the role system: "+one.String()+"\n"+
		"next: `nx trust add --role system "+one.Text()+"` undoes it\n", "")
	p.nx("trust", "remove", "-y", "--json", two.String()).want(t, 1,
		`{"error":"cannot remove key `+two.String()+`: it is the only one","reason":"last-key"}`+"\n",
		"nx: cannot remove key "+two.String()+": it is the only one\n")
	p.nx("trust", "list", "--json").want(t, 0, folderJSON(grantJSON("system", two.String()))+"\n", "")
}

// folderJSON is the answer of `nx trust --json` where there is no root: it has the fields that it has with one.
func folderJSON(grants string) string {
	return `{"root":0,"family":"","sha256":"","issuedUnixMs":0,"expiresUnixMs":0,"seenUnixMs":0,"grants":[` + grants +
		`],"revokedKeys":[],"revokedSets":[],"minimumVersions":{},"expired":[],"expiresNext":null}`
}

// grantJSON is a role in it, which any of the keys has.
func grantJSON(role string, keys ...string) string {
	var list []string
	for _, key := range keys {
		list = append(list, `{"publicKey":"`+key+`","name":"","sinceRoot":0,"sinceUnixMs":0}`)
	}
	return `{"role":"` + role + `","threshold":1,"keys":[` + strings.Join(list, ",") + `],"names":[],"expiresUnixMs":0}`
}

func TestTrustRefused(t *testing.T) {
	p := startPeer(t)
	two := updatestest.Key(2).Public()
	p.change(func(s *peerState) {
		s.keys = trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: two})
		for n := byte(3); n < 60; n++ {
			s.keys = s.keys.Add(trust.RoleSystem, updatestest.Key(n).Public())
		}
	})
	unsure := two.String()[:1]
	for _, c := range []struct{ key, cause string }{
		{"", "no such key is trusted for the role system"},
		{updatestest.Key(1).Public().Text(), "no such key is trusted for the role system"},
		{"zz", "no such key is trusted for the role system"},
		{unsure, "it is the beginning of "},
	} {
		if got := p.nx("trust", "remove", "-y", "--json", c.key); got.status != 1 ||
			!strings.Contains(got.stdout, c.cause) || !strings.Contains(got.stdout, `"reason":"not-trusted"`) {
			t.Errorf("remove %q: %+v", c.key, got)
		}
	}
	secret := trust.SeedText([32]byte{7})
	if got := p.nx("trust", "add", secret); got.status != 1 || strings.Contains(got.stdout+got.stderr, secret) ||
		!strings.Contains(got.stderr, "it is a private key") {
		t.Errorf("a secret: %+v", got)
	}
	got := runOn(t.Context(), cli.Host{Stdin: strings.NewReader("n\n"), Asks: true}, "--dir", p.dir, "trust", "remove",
		two.String())
	got.want(t, 1, "", "Stop trusting "+two.String()+"? What it signed cannot run again, not even after a rollback. "+
		"[y/N] nx: cannot remove key "+two.String()+": not confirmed\n")
}
