package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/selftest/image"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// probeImage builds an image whose first process is the probe: no part of it is in the image of a system.
func probeImage(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "probe")
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program,
		"nexus/selftest/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build probe: %v\n%s", err, out)
	}
	path := filepath.Join(dir, "initramfs")
	if _, err := image.WriteFile(path, image.Spec{Arch: arch, Binary: program}); err != nil {
		t.Fatal(err)
	}
	return path
}

// Nothing gets out of any daemon's confinement or a payload's, and in a machine of our own every measure is on.
func TestConfinement(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Image, m.Memory = probeImage(t, m.Arch), 2048 // more than a bundle may have
		r := up(t, m)
		kit.Must(t, r.end())
		through, of := -1, 0
		for _, line := range r.console() {
			if strings.Contains(line, ": off, ") && !strings.HasPrefix(line, "probe: selftest: user: ") {
				t.Errorf("a measure is missing: %s", line)
			}
			if n, _ := fmt.Sscanf(line, "probe: %d of %d get through", &through, &of); n == 2 {
				t.Log(line)
			}
		}
		if through != 0 || of < 1000 {
			t.Errorf("%d of %d get through:\n%s", through, of, strings.Join(r.console(), "\n"))
		}
	})
}
