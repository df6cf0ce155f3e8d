package statefs_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

func open(t *testing.T, fs durable.FS) *statefs.Store {
	t.Helper()
	s, err := statefs.Open(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, p *statefs.Prefix, key, value string) {
	t.Helper()
	if err := p.Put(key, []byte(value)); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func wantValue(t *testing.T, p *statefs.Prefix, key, want string) {
	t.Helper()
	got, err := p.Get(key)
	if err != nil || string(got) != want {
		t.Fatalf("get %s: %.40q, %v; want %.40q", key, got, err, want)
	}
}

func wantRefusal(t *testing.T, err error, want refusal.Reason) {
	t.Helper()
	if refusal.Of(err) != want {
		t.Fatalf("got %v (%s), want the reason %s", err, refusal.Of(err), want)
	}
}

// wantSame fails unless the disk is unchanged.
func wantSame(t *testing.T, d *durabletest.Disk, before []string) {
	t.Helper()
	if after := d.Snapshot(); !slices.Equal(before, after) {
		t.Fatalf("the disk has changed:\n%s\nwas\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

// file creates a foreign file on the disk.
func file(t *testing.T, d durable.FS, name string, data []byte) {
	t.Helper()
	if err := durable.WriteFile(d, name, data); err != nil {
		t.Fatal(err)
	}
}

// read returns a file's bytes.
func read(t *testing.T, d durable.FS, name string) []byte {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(f); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}
