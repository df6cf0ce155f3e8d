package nxspack_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Packing a large payload takes no more memory than packing a small one, except for a bounded rest.
func TestPackingTakesLittleMemory(t *testing.T) {
	const bound = 32 << 10 // KiB
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"a.toml": "name = \"a\"\nversion = \"1.0.0\"\nabilities = [\"nexus.ability.Main\"]\n",
		"small":  "program", "large": "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate("large", 160<<20); err != nil { // a hole, which costs no disk
		t.Fatal(err)
	}
	run(t, set, "keygen", "--output", "key")
	small, large := peak(t, "small"), peak(t, "large")
	if large-small > bound {
		t.Errorf("a payload of 160 MiB takes %d KiB, one of 7 bytes %d KiB: over %d KiB more", large, small, bound)
	}
	t.Logf("160 MiB: %d KiB, 7 bytes: %d KiB", large, small)
}

// peak packs a payload in a separate process and returns the peak memory of that, in KiB.
func peak(t *testing.T, payload string) int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "nxb-pack", "--toml", "a.toml", "--key", "key", "--limit-payload", "1GiB",
		payload, payload+".nxb")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
}
