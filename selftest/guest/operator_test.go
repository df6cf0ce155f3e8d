package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// An operator of the host has the guest as if it were a system of the host.
func TestOperator(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.nx("status").want(t, 0, "1.0.0 in slot a, healthy")
		r.nx("status").want(t, 0, "confined  all 9 daemons, by every measure")

		// One follows the log while the other updates.
		follow, stop := context.WithCancel(t.Context())
		defer stop()
		log := r.command(follow, "log", "--follow", "--sender", "initd")
		lines := &recorder{found: make(chan struct{}), text: "init: health ok (slot b)"}
		log.Stdout = lines
		kit.Must(t, log.Start())
		update := r.nx("update", set(m.Arch, "system-v1.1.0.nxs"))
		update.want(t, 0, "updated to 1.1.0 in slot b, healthy")
		update.want(t, 0, "100%")
		await(t, lines.found, "the log's line of the commit")
		stop()
		log.Wait()

		r.nx("update", set(m.Arch, "system-v1.2.0.nxs")).want(t, 1, "rolled back: service-exited")
		r.nx("stage", set(m.Arch, "bad-signature.nxs")).want(t, 1, "signature")
		r.await("init: health ok (slot b)", 2)
		r.nx("status").want(t, 0, "1.1.0 in slot b, healthy")
		r.nx("shutdown").want(t, 0, "is down")
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(r.dir); err != nil || len(entries) != 0 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
		r.nx("status").want(t, 1, "no system runs there")
	})
}

// An operator who dies in the middle of a stage leaves nothing of it in the guest.
func TestDeadOperator(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		stage := r.command(t.Context(), "stage", set(m.Arch, "system-v1.1.0.nxs"))
		progress := &recorder{found: make(chan struct{}), text: "%"}
		stage.Stderr = progress
		kit.Must(t, stage.Start())
		await(t, progress.found, "part of the stage")
		stage.Process.Kill()
		stage.Wait()
		r.await("op=stage slot=b", 1) // staged all the same, or discarded: it had a part or all of it
		r.nx("update", set(m.Arch, "system-v1.1.0.nxs")).want(t, 0, "updated to 1.1.0 in slot b, healthy")
	})
}

// The memory of a guest is its disk. A set that is too large for what is left of it is refused, and the next one is
// not.
func TestFullRAMDisk(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Memory = 256
		m.Args = []string{"--limit-archive", "1073741824", "--limit-payload", "1073741824"}
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		large := largeSet(t, m.Arch, 200<<20)
		r.nx("stage", "--json", large).want(t, 1, `"reason":"no-space"`)
		r.nx("status").want(t, 0, "slot b    empty")
		r.nx("update", set(m.Arch, "system-v1.1.0.nxs")).want(t, 0, "updated to 1.1.0 in slot b, healthy")
	})
}

// largeSet packs a set with one payload of that many bytes, signed with the demo's key.
func largeSet(t *testing.T, arch string, size int64) string {
	t.Helper()
	dir := t.TempDir()
	payload := filepath.Join(dir, "payload")
	kit.Must(t, os.WriteFile(payload, nil, 0o600))
	kit.Must(t, os.Truncate(payload, size))
	return dataSet(t, arch, payload)
}

// dataSet packs a set with one payload, signed with the demo's key.
func dataSet(t *testing.T, arch, payload string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"manifest.toml":   "name = \"data\"\nversion = \"9.0.0\"\nabilities = []\ncaps = []\nmin_sdk = \"1.0.0\"\n",
		"system-set.toml": "system_version = \"9.0.0\"\n",
	} {
		kit.Must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	key := filepath.Join("../../out/guest", arch, "demo/keys/demo")
	file := filepath.Join(dir, "large.nxs")
	kit.Must(t, os.Mkdir(filepath.Join(dir, "in"), 0o700))
	tool(t, "nxb-pack", "--limit-payload", "1GiB", "--toml", filepath.Join(dir, "manifest.toml"), "--key", key, payload,
		filepath.Join(dir, "in", "data.nxb"))
	tool(t, "nxs-pack", "--input", filepath.Join(dir, "in"), "--meta", filepath.Join(dir, "system-set.toml"), "--key",
		key, "--output", file,
		"--limit-archive", "1GiB", "--limit-payload", "1GiB")
	return file
}

func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "../../bin/"+name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// QEMU may be killed: whoever started it is told so, and finds nothing left.
func TestKilledQEMU(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.Kill()
		if err := r.end(); err == nil || err.Error() != "QEMU killed by signal 9 (killed)" {
			t.Errorf("got %v", err)
		}
		if entries, err := os.ReadDir(r.dir); err != nil || len(entries) != 0 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	})
}

// A recorder closes found once a text was written.
type recorder struct {
	text  string
	seen  strings.Builder
	done  bool
	found chan struct{}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.seen.Write(p)
	if !r.done && strings.Contains(r.seen.String(), r.text) {
		r.done = true
		close(r.found)
	}
	return len(p), nil
}

func await(t *testing.T, found <-chan struct{}, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-found:
	case <-ctx.Done():
		t.Fatal(fmt.Errorf("no %s within %v", what, patience))
	}
}
