package initd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/initd/machine"
	"nexus/daemons/pinned"
	"nexus/daemons/vat"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// Keys lead to their own way in, until they are revoked, by themselves or with their role, or over.
func TestKeys(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	anna, bert, past := updatestest.Key(1).Public(), updatestest.Key(2).Public(), updatestest.Key(3).Public()
	r := Remote{Listen: "127.0.0.1:0", Operators: []pinned.Operator{{Key: anna, Role: operatorRole},
		{Key: bert, Role: "stage", Until: now.Add(1)}, {Key: past, Role: "stage", Until: now}}}
	w := newWays(newRevocations(machine.Handed{Revoked: []string{keyMark + anna.String() + " " + operatorFacet}}))
	w.sockets = r.sockets()
	check := func(key trust.PublicKey, want error) {
		t.Helper()
		way, err := w.of(key, now)
		if err != want || err == nil && way.remote.Key != key {
			t.Errorf("got %v, %v, want %v", way, err, want)
		}
	}
	change := func(client string, barred bool) {
		t.Helper()
		if err := w.bar(client, barred); err != nil {
			t.Fatal(err)
		}
	}
	check(anna, errKeyRevoked) // under the core before
	change(keyMark+anna.String(), false)
	check(anna, nil)
	check(bert, nil)
	check(past, errOperatorEnd)
	check(updatestest.Key(4).Public(), errNoOperator)
	change(keyMark+bert.String(), true)
	check(bert, errKeyRevoked)
	change("stage", true)
	change(keyMark+bert.String(), false)
	check(bert, errKeyRevoked) // with its role
	check(anna, nil)
	change("stage", false)
	check(bert, nil)
}

// Whoever is in when the time of the key is over is put out; others stay.
func TestTheTimeOfAKeyEnds(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	r := Remote{Listen: "127.0.0.1:0", Operators: []pinned.Operator{
		{Key: updatestest.Key(1).Public(), Role: operatorRole},
		{Key: updatestest.Key(2).Public(), Role: "stage", Until: now.Add(operatorTick)}}}
	w := newWays(newRevocations(machine.Handed{}))
	w.sockets = r.sockets()
	var conns []*vat.Conn
	for _, c := range w.sockets {
		near, far := net.Pipe()
		defer far.Close()
		conn := vat.Connect(near, capnp.Client{})
		defer conn.Close()
		c.conns[conn] = struct{}{}
		conns = append(conns, conn)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go w.watchOperators(ctx, &tickingClock{now: now})
	select {
	case <-conns[1].Done():
	case <-time.After(time.Minute):
		t.Fatal("the time of the key is over, and its connection is not")
	}
	select {
	case <-conns[0].Done():
		t.Error("another key's connection ended, too")
	default:
	}
}

// A tickingClock is a clock whose time is over as soon as somebody waits for it.
type tickingClock struct{ now time.Time }

func (c *tickingClock) Now() time.Time { return c.now }

func (c *tickingClock) After(d time.Duration) <-chan time.Time {
	c.now = c.now.Add(d)
	over := make(chan time.Time, 1)
	over <- c.now
	return over
}

func TestRemoteIsChecked(t *testing.T) {
	one := pinned.Operator{Key: updatestest.Key(1).Public(), Role: "status"}
	many := make([]pinned.Operator, maxRemote+1)
	for name, c := range map[string]struct {
		remote Remote
		want   string
	}{
		"off":           {Remote{}, ""},
		"on":            {Remote{"127.0.0.1:7777", []pinned.Operator{one}}, ""},
		"nobody":        {Remote{"127.0.0.1:7777", nil}, "would let nobody in"},
		"nowhere":       {Remote{"", []pinned.Operator{one}}, "--listen, which is missing"},
		"everywhere":    {Remote{":7777", []pinned.Operator{one}}, "is not ADDR:PORT"},
		"twice":         {Remote{"127.0.0.1:7777", []pinned.Operator{one, one}}, "two operators"},
		"no such role":  {Remote{"127.0.0.1:7777", []pinned.Operator{{Key: one.Key, Role: "king"}}}, "is not a role"},
		"too many keys": {Remote{"127.0.0.1:7777", many}, "over the limit"},
	} {
		err := c.remote.check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// The device's key stays what it was. One that cannot be used is not replaced: operators would not know the device.
func TestDeviceKey(t *testing.T) {
	f, err := openFolder(t.TempDir(), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.clear()
	read := func() (string, string) {
		t.Helper()
		file, known, err := f.deviceKey()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		text := make([]byte, maxDeviceKey)
		n, _ := file.ReadAt(text, 0)
		public, err := os.ReadFile(f.at(devicePublic))
		if err != nil || string(public) != known.Text()+"\n" {
			t.Fatalf("got %q, %v, want %s", public, err, known)
		}
		return string(text[:n]), string(public)
	}
	first, public := read()
	if again, same := read(); again != first || same != public {
		t.Error("the device has another key at its second start")
	}
	if info, err := os.Stat(f.at(deviceKey)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the device's key: %v, %v", info.Mode(), err)
	}
	for _, bad := range []string{"", "no key", public} {
		if err := os.WriteFile(f.at(deviceKey), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.deviceKey(); err == nil || !strings.Contains(err.Error(), filepath.Base(deviceKey)) ||
			strings.Contains(err.Error(), strings.TrimSpace(first)) {
			t.Errorf("a key of %q: got %v", bad, err)
		}
		if kept, err := os.ReadFile(f.at(deviceKey)); err != nil || string(kept) != bad {
			t.Errorf("a key of %q was replaced: %v", bad, err)
		}
	}
}
