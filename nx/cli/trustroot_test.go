package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

const (
	january = 1_767_225_600_000 // 2026-01-01, in milliseconds since 1970 UTC
	day     = 86_400_000
)

// chainFor returns three roots. Key 1 signs roots. Key 2 signs sets from the first on, key 3 in the first and the third
// only.
func chainFor(t *testing.T) (chain []roots.Signed) {
	t.Helper()
	key := func(n byte) trust.PublicKey { return updatestest.Key(n).Public() }
	for version := range uint64(3) {
		r := roots.Root{Version: version + 1, Family: "demo", Issued: january + version*day,
			Grants: []roots.Grant{{Role: trust.RoleRoot, Threshold: 1, Keys: []trust.PublicKey{key(1)}},
				{Role: trust.RoleSystem, Threshold: 1, Keys: []trust.PublicKey{key(2)}}}}
		members := []byte{1, 2}
		if version != 1 {
			r.Grants[1].Keys = append(r.Grants[1].Keys, key(3))
			members = append(members, 3)
		}
		if version == 2 {
			r.Expires, r.RevokedKeys = january+300*day, []trust.PublicKey{key(9)}
			r.Minimums = []roots.Minimum{{Name: "", Version: "1.1.0"}}
			r.Grants = append(r.Grants, roots.Grant{Role: trust.RoleApps, Threshold: 1, Names: []string{"camera.*"},
				Keys: []trust.PublicKey{key(2)}, Expires: january + 5*day})
		}
		for _, n := range members {
			r.Keys = append(r.Keys, roots.Key{Public: key(n), Name: map[byte]string{2: "release"}[n]})
		}
		chain = append(chain, roots.Signed{Version: r.Version, Document: documentOf(t, r)})
	}
	return chain
}

// documentOf puts the keys into order, and encodes.
func documentOf(t *testing.T, r roots.Root) []byte {
	t.Helper()
	compare := func(a, b trust.PublicKey) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(r.Keys, func(a, b roots.Key) int { return compare(a.Public, b.Public) })
	for _, g := range r.Grants {
		slices.SortFunc(g.Keys, compare)
	}
	raw, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// `nx trust` says what is trusted for what, since which root, what has expired and what expires next.
func TestTrustOfARoot(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) { s.roots, s.seen = chainFor(t), january+10*day })
	shown := p.nx("trust").stdout
	for _, line := range []string{
		"root 3 of demo, issued 2026-01-03T00:00:00Z",
		"time: not before 2026-01-11T00:00:00Z",
		updatestest.Key(1).Public().String() + "           root 1, 2026-01-01T00:00:00Z",
		updatestest.Key(2).Public().String() + "  release  root 1, 2026-01-01T00:00:00Z",
		updatestest.Key(3).Public().String() + "           root 3, 2026-01-03T00:00:00Z",
		updatestest.Key(2).Public().String() + "  release  root 3, 2026-01-03T00:00:00Z  camera.*",
		"revoked: 1 key, 0 sets",
		"minimum version: the set 1.1.0",
		"expired: the role apps for camera.*, 2026-01-06T00:00:00Z",
		"expires next: the root, 2026-10-28T00:00:00Z",
	} {
		if !strings.Contains(shown, line+"\n") {
			t.Errorf("no line %q in\n%s", line, shown)
		}
	}
	var answer struct {
		Root   uint64
		Grants []struct {
			Role string
			Keys []struct {
				PublicKey   string
				SinceRoot   uint64
				SinceUnixMs uint64
			}
		}
		ExpiresNext *struct {
			What   string
			UnixMs uint64
		}
	}
	if err := json.Unmarshal([]byte(p.nx("trust", "--json").stdout), &answer); err != nil {
		t.Fatal(err)
	}
	for _, k := range answer.Grants[1].Keys {
		if late := k.PublicKey == updatestest.Key(3).Public().String(); k.SinceRoot != 1 && !late || k.SinceRoot != 3 &&
			late ||
			k.SinceUnixMs != january+(k.SinceRoot-1)*day {
			t.Errorf("key %s since root %d, %d", k.PublicKey, k.SinceRoot, k.SinceUnixMs)
		}
	}
	if n := answer.ExpiresNext; n == nil || n.What != "the root" || n.UnixMs != january+300*day {
		t.Errorf("expires next: %+v", n)
	}
	p.change(func(s *peerState) { s.roots = s.roots[:1] })
	if out := p.nx("trust", "--json").stdout; !strings.Contains(out, `"expired":[],"expiresNext":null`) {
		t.Errorf("without a limit: %s", out)
	}
}

// Going on to a root says what it stops, and nothing that could disturb a terminal.
func TestTrustUpdateStops(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) { s.roots = chainFor(t)[:1] })
	file := filepath.Join(t.TempDir(), "2.nxroot")
	if err := os.WriteFile(file, chainFor(t)[1].Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.nx("trust", "update", file).want(t, 0, "root 2 from now on\n"+
		"warning: 1.0.0\uFFFD[2J, which a slot holds, cannot run any more: there is no way back to it\n", "")
	if got := p.nx("trust", "update", "--json", file).stdout; !strings.HasPrefix(got,
		`{"before":1,"root":2,"kept":true,"stopped":["1.0.0`) {
		t.Errorf("as JSON: %s", got)
	}
	none := filepath.Join(t.TempDir(), "3.nxroot")
	p.nx("trust", "update", none).want(t, 1, "", "nx: cannot read "+none+": no such file or directory\n")
}
