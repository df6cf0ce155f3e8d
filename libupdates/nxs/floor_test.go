package nxs_test

import (
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

func TestVersionFloorOfAnIndex(t *testing.T) {
	for _, c := range []struct {
		floor, version string
		reason         refusal.Reason
	}{
		{"", "1.2.0", ""},
		{"1.2.0", "1.2.0", ""},
		{"1.2.0-rc.1", "1.2.0", ""},
		{"1.2.0+build", "1.2.0", ""},
		{"0.0.0", "1.2.0", ""},
		{"1.2.1", "1.2.0", refusal.BadIndex},
		{"1.2.0", "1.2.0-rc.1", refusal.BadIndex},
		{"1.0.0-100000000000000000000", "1.0.0-99999999999999999999", refusal.BadIndex}, // as numbers, not as texts
		{"1.0.0-99999999999999999999", "1.0.0-100000000000000000000", ""},
		{"99999999999999999999.0.0", "100000000000000000000.0.0", ""},
		{"1.2", "1.2.0", refusal.BadVersion},
		{"v1.2.0", "1.2.0", refusal.BadVersion},
	} {
		if got := refusal.Of(nxs.CheckFloor(c.floor, c.version)); got != c.reason {
			t.Errorf("a floor of %q in set %s: got %q, want %q", c.floor, c.version, got, c.reason)
		}
		x := parsed(t)
		x.SystemVersion, x.VersionFloor = c.version, c.floor
		raw, err := x.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := nxs.ParseIndex(raw)
		if refusal.Of(err) != c.reason || err == nil && read.VersionFloor != c.floor {
			t.Errorf("a floor of %q in set %s is read as %q, %v", c.floor, c.version, read.VersionFloor, err)
		}
	}
}

// parsed returns the index of the small set.
func parsed(t *testing.T) nxs.Index {
	t.Helper()
	x, err := nxs.ParseIndex(smallIndex(t))
	if err != nil {
		t.Fatal(err)
	}
	return x
}
