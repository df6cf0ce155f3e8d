package golden_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

var add = flag.String("add", "", "write the golden files of a new `version`")

// TestAdd writes the folder of a new version with today's code. It never changes an existing folder.
func TestAdd(t *testing.T) {
	if *add == "" {
		t.Skip("adds a version's files; needs -add")
	}
	dir := filepath.Join("testdata", *add)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files(t) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range binaries() {
		text := describe(t, name, dir)
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// files returns what a version writes.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	lock, err := os.ReadFile("../../schema/API.lock")
	must(t, err)
	key := updatestest.Key(1)
	hello := updatestest.Bundle("hello", "1.2.3", []string{"nexus.ability.Service", "nexus.ability.Native"},
		[]byte("a program"), key)
	data := updatestest.Bundle("some-data_1.x", "0.0.1-rc.1+build.5", nil, nil, key)
	rich, err := bootctl.Encode(richRecord(t))
	must(t, err)
	empty, err := bootctl.Encode(bootctl.New())
	must(t, err)
	return map[string][]byte{
		"API.lock":     lock,
		"system.nxs":   updatestest.Archive(t, key, "1.2.3", hello, data),
		"key.pub":      []byte(key.Public().String() + "\n"),
		"manifest.nxb": hello.Manifest,
		"record-empty": empty,
		"record-rich":  rich,
	}
}

// binaries returns the names of the files that have a text next to them with their content.
func binaries() []string {
	return []string{"system.nxs", "key.pub", "manifest.nxb", "record-empty", "record-rich"}
}

// richRecord returns a record in which every field is set: a confirmed set, one that was rolled back, one on trial.
func richRecord(t *testing.T) bootctl.Record {
	t.Helper()
	r := bootctl.Resume(bootctl.A, bootctl.Content{Digest: bootctl.Digest{0xa0}, Version: "1.0.0"}, bootctl.Content{})
	trial := func(digest byte, version string) (boot uint64) {
		next, serial, err := r.Stage(bootctl.Content{Digest: bootctl.Digest{digest}, Version: version})
		must(t, err)
		next, err = next.Switch(serial, bootctl.DefaultTries)
		must(t, err)
		next, attempt := next.BootAttempt()
		r = next
		return attempt.Boot
	}
	commit := func(boot uint64) {
		next, err := r.CommitHealth(boot)
		must(t, err)
		r = next
	}
	commit(trial(0xb0, "1.1.0"))
	trial(0xc0, "1.2.0")
	next, err := r.Rollback(refusal.ServiceExited, "service hello 1.2.0: exited: exit code 3")
	must(t, err)
	next, attempt := next.BootAttempt()
	r = next
	commit(attempt.Boot)
	trial(0xd0, "1.3.0-rc.1")
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
