package keystored_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/keystored"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// warnings is a LogSink that passes on the warnings about skipped files as `<file>: <why>`.
type warnings chan string

func (w warnings) client() capnp.Client { return capnp.Client(journal.LogSink_ServerToClient(w)) }

func (w warnings) Write(_ context.Context, call journal.LogSink_write) error {
	list, err := call.Args().Entries()
	if err != nil {
		return err
	}
	for i := range list.Len() {
		e, err := logclient.ReadEntry(list.At(i))
		if err != nil {
			return err
		}
		switch {
		case e.Message == "keys loaded":
			w <- e.Message
		case e.Level == journal.Level_warn:
			w <- e.Value("file") + ": " + e.Value("error")
		}
	}
	return nil
}

func (warnings) Marker(context.Context, journal.LogSink_marker) error { return nil }
func (warnings) Sync(context.Context, journal.LogSink_sync) error     { return nil }

func (warnings) ForSender(context.Context, journal.LogSink_forSender) error { return nil }

// skipped runs keystored on the folder and returns its warnings, sorted, and the keys that it trusts.
func skipped(t *testing.T, dir string) (warned, trusted []string) {
	t.Helper()
	sink := make(warnings, 1024)
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return keystored.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	d.Provide("LogSink", sink.client())
	d.Dir("trust", dir)
	d.Dir("roots", t.TempDir())
	d.AwaitReady()
	for {
		select {
		case line := <-sink:
			if line == "keys loaded" {
				slices.Sort(warned)
				return warned, anchors(t, d)
			}
			warned = append(warned, line)
		case <-time.After(vattest.Patience):
			t.Fatal("keystored does not say what it loaded")
		}
	}
}

// TestBrokenKeysAreSkipped has one good key beside all kinds of bad ones: the good one is trusted, the others are
// skipped with their reasons.
func TestBrokenKeysAreSkipped(t *testing.T) {
	good, other := updatestest.Key(1).Public().String(), updatestest.Key(2).Public().String()
	name := "system/" + other + ".pub"
	for _, c := range []struct {
		name  string
		spoil func(dir string)
		want  string // part of the warning
	}{
		{"no key", func(dir string) { put(t, dir, name, "not a key") }, name + ": not a key in a supported form"},
		{"empty", func(dir string) { put(t, dir, name, "") }, name + ": not a key in a supported form"},
		{"short key", func(dir string) { put(t, dir, name, other[:62]) }, name +
			": not a key in a supported form"},
		{"another key", func(dir string) { put(t, dir, name, updatestest.Key(3).Public().String()) }, name +
			": the file must be named after the key it holds: " + updatestest.Key(3).Public().String() + ".pub"},
		{"other name", func(dir string) { put(t, dir, "system/release.pub", other) },
			"system/release.pub: the file must be named after the key it holds: " + other + ".pub"},
		{"upper case name", func(dir string) { put(t, dir, "system/"+strings.ToUpper(other)+".pub", other) },
			": the file must be named after the key it holds: " + other + ".pub"},
		{"no suffix", func(dir string) { put(t, dir, "system/"+other, other) }, "system/" + other +
			": 64 hex digits do not say whether"},
		{"no suffix, OpenSSH", func(dir string) { put(t, dir, "system/release", updatestest.Key(2).Public().Text()) },
			"system/release: the file must be named after the key it holds: " + other + ".pub"},
		{"private key", func(dir string) { put(t, dir, name, trust.SeedText([32]byte{1})) }, name +
			": it is a private key"},
		{"too large", func(dir string) { put(t, dir, name, other+strings.Repeat("\n", 4096)) }, name +
			": the file is over 4096 bytes"},
		{"folder", func(dir string) { put(t, dir, name+"/x", other) }, name + ": not a regular file"},
		{"link out of the folder", func(dir string) { link(t, outside(t, other), filepath.Join(dir, name)) }, name +
			": not a regular file"},
		{"link within the folder", func(dir string) { link(t, good+".pub", filepath.Join(dir, name)) }, name +
			": not a regular file"},
		{"pipe", func(dir string) { pipe(t, filepath.Join(dir, name)) }, name + ": not a regular file"},
		{"unknown role", func(dir string) { put(t, dir, "root/"+other+".pub", other) }, "root: unknown role"},
		{"file beside the roles", func(dir string) { put(t, dir, other+".pub", other) }, other + ".pub: not a folder"},
		{"role that is a link", func(dir string) { link(t, "system", filepath.Join(dir, "apps")) },
			"apps: not a folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := trusting(t, t.TempDir(), "system", updatestest.Key(1))
			c.spoil(dir)
			warned, trusted := skipped(t, dir)
			if len(warned) != 1 || !strings.Contains(warned[0], c.want) {
				t.Errorf("warned %q, want one with %q", warned, c.want)
			}
			if !slices.Equal(trusted, []string{"system " + good}) {
				t.Errorf("trusts %q, want the good key alone", trusted)
			}
		})
	}
}

func outside(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func pipe(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestKeysInBothForms(t *testing.T) {
	dir := t.TempDir()
	const hexKey = "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
	put(t, dir, "system/"+hexKey+".pub",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINBKsjJ0K7SrOhNovUYV5ObQIkq3GgFrr4UgozLJd4c3 release\n")
	put(t, dir, "apps/"+hexKey+".pub", hexKey)
	warned, trusted := skipped(t, dir)
	if want := []string{"apps " + hexKey, "system " + hexKey}; !slices.Equal(trusted, want) {
		t.Errorf("trusts %q, want %q; warned %q", trusted, want, warned)
	}
}

func TestNoKeysTrustNobody(t *testing.T) {
	warned, trusted := skipped(t, t.TempDir())
	if len(warned) != 0 || len(trusted) != 0 {
		t.Errorf("warned %q, trusts %q; want neither", warned, trusted)
	}
}

// TestTooManyKeysTrustNobody has one file too many in a folder: no key is trusted, rather than a random selection. At
// the bound, all are.
func TestTooManyKeysTrustNobody(t *testing.T) {
	dir := t.TempDir()
	for i := range 256 {
		trusting(t, dir, "system", updatestest.Key(byte(i)))
	}
	if warned, trusted := skipped(t, dir); len(trusted) != 256 {
		t.Errorf("trusts %d of 256 keys, warned %q", len(trusted), warned)
	}
	put(t, dir, "system/one-more", "")
	wantUnusable(t, dir, "trust/system: more than 256 entries")
}

// TestNoGoodKeyIsFatal has only bad keys: no set could ever run, so the start fails with the reason of the first key,
// instead of a set being blamed later. Good keys of another role do not help.
func TestNoGoodKeyIsFatal(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"FIFO":       func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"link":       func(p string) error { return os.Symlink("/etc/hostname", p) },
		"folder":     func(p string) error { return os.Mkdir(p, 0o700) },
		"emptied":    func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"other text": func(p string) error { return os.WriteFile(p, []byte("rot"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			trusting(t, dir, "apps", updatestest.Key(1))
			if err := os.Mkdir(filepath.Join(dir, "system"), 0o700); err != nil {
				t.Fatal(err)
			}
			key := updatestest.Key(1).Public().String() + ".pub"
			if err := place(filepath.Join(dir, "system", key)); err != nil {
				t.Fatal(err)
			}
			wantUnusable(t, dir, "trust/system/"+key+": ")
		})
	}
}

func wantUnusable(t *testing.T, dir, cause string) {
	t.Helper()
	err := start(t, dir).Await()
	var unusable *keystored.UnusableError
	if !errors.As(err, &unusable) || !strings.Contains(err.Error(), cause) {
		t.Errorf("it ended with %v, want %q", err, cause)
	}
}
