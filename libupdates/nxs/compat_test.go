package nxs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// The bytes of version 1 of the format. They never change: the same bundles and key always give the same set.
func TestArchiveGolden(t *testing.T) {
	const want = "797c61149d0c651061584c3314cb8f85a3479984f44f84a6e897012ec70ce762"
	if got := nxs.Sum(smallArchive(t)).String(); got != want {
		t.Fatalf("got %s", got)
	}
}

// Sets of other writers with the same contract: GNU magic with empty fields, a checksum of seven digits, a directory
// entry before each bundle, messages with many segments.
func TestReadsSetsOfOtherPackers(t *testing.T) {
	made := small()
	for i := range made {
		made[i].Manifest = segmented(t, made[i].Manifest)
		made[i].Entry.ManifestSHA256 = nxs.Sum(made[i].Manifest)
	}
	index := segmented(t, mustEncode(t, updatestest.Index(updatestest.Key(1), "1.1.0", made...)))
	all := entriesOf(t, index, made...)
	raw := pack(all[0], all[1], dir("alpha.app.nxb/"), all[2], all[3], dir("beta.nxb/"), all[4], all[5])
	for at := 0; at < len(raw)-1024; {
		block := raw[at : at+512]
		var size int
		if _, err := fmt.Sscanf(string(block[124:135]), "%o", &size); err != nil {
			t.Fatal(err)
		}
		copy(block[257:], "ustar  \x00")
		clear(block[329:345])
		seal(block)
		copy(block[148:], "0"+string(block[148:154])+"\x00")
		at += 512 + (size+511)/512*512
	}
	got, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range made {
		if !bytes.Equal(got.payloads[i], want.Payload) || got.bundles[i].Manifest.Name != want.Entry.Name {
			t.Errorf("got bundle %+v", got.bundles[i])
		}
	}
}

// gnuTar runs GNU tar in a folder and returns its output. Warnings count as errors.
func gnuTar(t *testing.T, dir string, args ...string) string {
	t.Helper()
	tar, err := exec.LookPath("tar")
	if err != nil {
		missing(t, "there is no tar on this machine to compare with")
	}
	if version, err := exec.Command(tar, "--version").Output(); err != nil ||
		!bytes.Contains(version, []byte("GNU tar")) {
		missing(t, "the tar on this machine is not GNU's: its options are others")
	}
	cmd := exec.Command(tar, args...)
	cmd.Dir = dir
	var warnings bytes.Buffer
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Fatalf("tar %q: %v\n%s", args, err, &warnings)
	}
	return string(out)
}

func TestGNUTarListsASet(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "system.nxs"), smallArchive(t), 0o600); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, e := range smallEntries(t) {
		fmt.Fprintln(&want, e.name)
	}
	if got := gnuTar(t, dir, "--list", "--file", "system.nxs"); got != want.String() {
		t.Errorf("got\n%swant\n%s", got, &want)
	}
}

// A set packed by GNU tar, with records of one block, is read like one of our own.
func TestReadsSetsOfGNUTar(t *testing.T) {
	dir := t.TempDir()
	args := []string{
		"--create", "--file", "system.nxs", "--format=ustar", "--blocking-factor=1", "--no-recursion",
		"--owner=:0", "--group=:0", "--numeric-owner", "--mtime=@0", "--mode=u=rwX,go=rX",
	}
	folders := map[string]bool{".": true}
	for _, e := range smallEntries(t) {
		folder := filepath.Dir(e.name)
		if !folders[folder] {
			folders[folder] = true
			if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
				t.Fatal(err)
			}
			args = append(args, folder+"/")
		}
		if err := os.WriteFile(filepath.Join(dir, e.name), e.body, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, e.name)
	}
	gnuTar(t, dir, args...)
	raw, err := os.ReadFile(filepath.Join(dir, "system.nxs"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(raw)
	if err != nil || len(got.bundles) != len(small()) {
		t.Fatalf("got %d bundles, %v", len(got.bundles), err)
	}
}
