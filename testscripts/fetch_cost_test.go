package testscripts

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
	"nexus/selftest/kit"
)

// A set of TestFetchCosts, in which one bundle changes, and what fetching may cost: bytes on the wire in relation to
// that bundle's, and memory over what fetchd has at its start.
const (
	costBundles = 24
	costPayload = 3 << 20
	costWire    = 1.02
	costMemory  = 32 << 20
)

// oneChanges makes bundles with payloads of that size, of which one is another in each version.
func oneChanges(bundles, size int, version string) (made []updatestest.Made, payloads [][]byte) {
	for i := range bundles {
		seed := [32]byte{byte(i)}
		if i == 7 {
			copy(seed[1:], version)
		}
		payload := make([]byte, size)
		_, _ = rand.NewChaCha8(seed).Read(payload)
		bundle := updatestest.Bundle(fmt.Sprintf("b%02d", i), "1.0.0", nil, payload, updatestest.Key(1))
		made, payloads = append(made, bundle), append(payloads, payload)
	}
	return made, payloads
}

// costSet is such a set, with another payload in one bundle for each version.
func costSet(t *testing.T, version string) string {
	t.Helper()
	made, _ := oneChanges(costBundles, costPayload, version)
	name := filepath.Join(t.TempDir(), version+".nxs")
	if err := os.WriteFile(name, updatestest.Archive(t, updatestest.Key(1), version, made...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestFetchCosts fetches a set of which a device lacks one bundle of 24.
func TestFetchCosts(t *testing.T) {
	t.Parallel()
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	l := ocitest.NewLine(t, registry.Host)
	r := newFetchRig(t)
	start := r.peak(t, "fetchd")
	for _, version := range []string{"3.0.0", "3.1.0"} {
		push(t, costSet(t, version), fmt.Sprintf("oci://%s/cost:%s", registry.Host, version))
	}
	r.must("stage", fmt.Sprintf("oci://%s/cost:3.0.0", l.Host()))
	before := l.Total()
	r.must("stage", fmt.Sprintf("oci://%s/cost:3.1.0", l.Host()))
	wire, memory := float64(l.Total()-before)/costPayload, r.peak(t, "fetchd")-start
	t.Logf("on the wire: %.4f of the bundle; memory of fetchd: %.1f MiB over its start", wire, float64(memory)/(1<<20))
	if wire > costWire {
		t.Errorf("%.4f of the bundle was on the wire, want %.2f at most", wire, costWire)
	}
	if memory > costMemory {
		t.Errorf("fetchd has taken %d bytes more than at its start, want %d at most", memory, costMemory)
	}
}

// peak is the most memory that a daemon has had resident, in bytes.
func (r *crashRig) peak(t *testing.T, daemon string) int64 {
	t.Helper()
	return peak(t, r.system.cmd.Process.Pid, daemon)
}

// peak is that of a daemon of the system that a process runs.
func peak(t testing.TB, system int, daemon string) (bytes int64) {
	t.Helper()
	for _, p := range kit.Descendants(system) {
		if p.Name != daemon {
			continue
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(status), "\nVmHWM:")
		if _, err := fmt.Sscanf(line, "%d kB", &bytes); err != nil {
			t.Fatal(err)
		}
		return bytes << 10
	}
	t.Fatalf("no process is named %s", daemon)
	return 0
}
