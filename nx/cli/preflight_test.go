package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/updatestest"
)

// setFile writes a set of one bundle.
func setFile(t *testing.T, version string, abilities ...string) string {
	t.Helper()
	key := updatestest.Key(1)
	path := filepath.Join(t.TempDir(), "set.nxs")
	raw := updatestest.Archive(t, key, version, updatestest.Bundle("hello", "1.0.0", abilities, []byte("program"), key))
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A set that is older than what runs is not sent, unless that is said.
func TestUpdateGoesDownOnlyWhenToldTo(t *testing.T) {
	p := startPeer(t)
	file := setFile(t, "0.9.0", nxb.AbilityService)
	p.nx("update", file).want(t, 1, "",
		"nx: cannot stage "+file+": 0.9.0 is older than 1.0.0, which runs\nhint: `nx --dir "+p.dir+" update --downgrade FILE` installs it anyway\n")
	got := p.nx("update", "--json", file)
	if got.status != 1 || !strings.Contains(got.stdout, `"reason":"downgrade"`) {
		t.Errorf("status %d: %s", got.status, got.stdout)
	}
	p.mu.Lock()
	if p.received.Len() > 0 {
		t.Errorf("%d bytes were sent", p.received.Len())
	}
	p.mu.Unlock()
	got = p.nx("update", "--downgrade", "--json", "--timeout", "1ms", file) // the peer gives no verdict by itself
	if !strings.Contains(got.stdout, `"reason":"health-timeout"`) {
		t.Errorf("status %d: %s", got.status, got.stdout)
	}
}

// That nothing of a set runs is said before it is sent.
func TestUpdateSaysThatNothingRuns(t *testing.T) {
	for _, c := range []struct {
		abilities []string
		says      bool
	}{{nil, true}, {[]string{nxb.AbilityMain}, true}, {[]string{nxb.AbilityService}, false}} {
		p := startPeer(t)
		got := p.nx("update", "--timeout", "1ms", setFile(t, "9.0.0", c.abilities...))
		if says := strings.HasPrefix(got.stderr, "note: nothing in this set runs by itself: "); says != c.says {
			t.Errorf("%q: %s", c.abilities, got.stderr)
		}
	}
}
