package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/daemons/initd"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/selftest/qemu"
)

// A core that a set carries takes over as the first process without a reboot, and again at each boot. One that ends takes the kernel with it; the
// machine comes back to the set before by itself, within the tries.
func TestCore(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		if err := qemu.MakeDisk(m.Disk.File, 128<<20); err != nil {
			t.Fatal(err)
		}
		good := withCore(t, m.Arch, "2.0.0", top().place(m.Arch).at("nexus"))
		ends := withCore(t, m.Arch, "3.0.0", filepath.Join("../../out/guest", m.Arch, "demo/work/1.2.0/hello"))

		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.nx("update", good).want(t, 0, "updated to 2.0.0 in slot b, healthy")
		r.await(initd.LineNext, 1)
		if boots := count(r.console(), initd.LineFirst); boots != 1 {
			t.Errorf("the machine was started %d times for it", boots)
		}
		r.nx("status", "--json").want(t, 0, `"core":"2.0.0"`)

		r.Reset()
		r.await(initd.LineNext, 2)
		r.await("init: health ok (slot b)", 2)

		r.nxOver(bootctl.DefaultTries, "update", ends).want(t, 1, "rolled back: tries-exhausted")
		r.await("init: health ok (slot b)", 3)
		if boots := count(r.console(), initd.LineFirst); boots != 2+bootctl.DefaultTries {
			t.Errorf("the machine was started %d times, want twice and once for each of %d tries", boots, bootctl.DefaultTries)
		}
		r.nx("status", "--json").want(t, 0, `"core":"2.0.0"`)
		r.nx("shutdown").want(t, 0, "is down")
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// withCore packs a set of the demo's healthy services and a program as its core, and returns its file.
func withCore(t *testing.T, arch, version, program string) string {
	t.Helper()
	demo, dir := filepath.Join("../../out/guest", arch, "demo"), t.TempDir()
	bundles := filepath.Join(dir, "bundles")
	if err := os.CopyFS(bundles, os.DirFS(filepath.Join(demo, "work/1.1.0/bundles"))); err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf("name = %q\nversion = %q\nabilities = []\ncaps = []\nmin_sdk = \"1.0.0\"\n", nxs.CoreName, version)
	meta, set := filepath.Join(dir, "system-set.toml"), filepath.Join(dir, "system.nxs")
	for path, text := range map[string]string{filepath.Join(dir, "core.toml"): manifest, meta: fmt.Sprintf("system_version = %q\n", version)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(demo, "keys/demo")
	for _, command := range [][]string{
		{"nxb-pack", "--toml", filepath.Join(dir, "core.toml"), "--key", key, program, filepath.Join(bundles, nxs.CoreName+".nxb")},
		{"nxs-pack", "--input", bundles, "--meta", meta, "--key", key, "--output", set},
	} {
		if out, err := exec.CommandContext(t.Context(), filepath.Join("../../bin", command[0]), command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	return set
}
