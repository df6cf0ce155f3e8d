package nxs_test

import (
	"bytes"
	"testing"
	"time"

	"nexus/capnpgen/systemset"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// policy sets the health policy of the index.
func policy(deadlineMs, watchMs uint32, quorum uint16) func(systemset.SystemSetIndex) error {
	return func(x systemset.SystemSetIndex) error {
		m, err := x.NewHealth()
		if err != nil {
			return err
		}
		m.SetDeadlineMs(deadlineMs)
		m.SetWatchMs(watchMs)
		m.SetQuorum(quorum)
		return nil
	}
}

// bundles returns two bundles; the second may be optional.
func bundles(optional bool) []nxs.Entry {
	key := updatestest.Key(1)
	x := updatestest.Index(key, "1.1.0", updatestest.Bundle("alpha", "1.0.0", nil, nil, key),
		updatestest.Bundle("beta", "1.0.0", nil, nil, key))
	x.Bundles[1].Optional = optional
	return x.Bundles
}

// TestHealthBounds tests both sides of each bound.
func TestHealthBounds(t *testing.T) {
	for name, c := range map[string]struct {
		health   nxs.Health
		optional bool
		ok       bool
	}{
		"nothing asked":             {nxs.Health{}, false, true},
		"shortest deadline":         {nxs.Health{Deadline: nxs.MinDeadline}, false, true},
		"below it":                  {nxs.Health{Deadline: nxs.MinDeadline - time.Millisecond}, false, false},
		"longest deadline":          {nxs.Health{Deadline: nxs.MaxDeadline}, false, true},
		"above it":                  {nxs.Health{Deadline: nxs.MaxDeadline + time.Millisecond}, false, false},
		"negative deadline":         {nxs.Health{Deadline: -time.Second}, false, false},
		"part of a millisecond":     {nxs.Health{Deadline: time.Second + time.Microsecond}, false, false},
		"shortest watch":            {nxs.Health{Watch: time.Millisecond}, false, true},
		"longest watch":             {nxs.Health{Watch: nxs.MaxDeadline}, false, true},
		"a longer watch":            {nxs.Health{Watch: nxs.MaxDeadline + time.Millisecond}, false, false},
		"negative watch":            {nxs.Health{Watch: -time.Millisecond}, false, false},
		"quorum of all optional":    {nxs.Health{Quorum: 1}, true, true},
		"quorum of more":            {nxs.Health{Quorum: 2}, true, false},
		"quorum without optional":   {nxs.Health{Quorum: 1}, false, false},
		"negative quorum":           {nxs.Health{Quorum: -1}, true, false},
		"optional without a quorum": {nxs.Health{}, true, true},
	} {
		if err := c.health.Check(bundles(c.optional)); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
		x := nxs.Index{SystemVersion: "1.1.0", Publisher: updatestest.Key(1).Public(), Bundles: bundles(c.optional),
			Health: c.health}
		raw, err := x.Encode()
		if (err == nil) != c.ok {
			t.Errorf("%s: encoded: %v", name, err)
		}
		if err != nil {
			continue
		}
		back, err := nxs.ParseIndex(raw)
		if err != nil || back.Health != c.health || back.Bundles[1].Optional != c.optional {
			t.Errorf("%s: read back as %+v, %v", name, back.Health, err)
		}
	}
}

// TestHealthCostsNothing: a set without a policy has the same bytes as before policies existed; one with a policy
// differs only in its index.
func TestHealthCostsNothing(t *testing.T) {
	x := nxs.Index{SystemVersion: "1.1.0", Publisher: updatestest.Key(1).Public(), Bundles: bundles(false)}
	plain, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	x.Health = nxs.Health{Watch: time.Minute}
	asking, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(plain, asking) || len(asking) <= len(plain) {
		t.Errorf("%d bytes without a policy, %d with one", len(plain), len(asking))
	}
}
