package main

import (
	"os"
	"path/filepath"
	"testing"

	"nexus/selftest/kit"
)

func TestDiskSize(t *testing.T) {
	for text, want := range map[string]diskSize{"512MiB": 512 << 20, "16MiB": 16 << 20, "1TiB": 1 << 40,
		"20000256": 20000256} {
		var got diskSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "large", "15MiB", "2TiB", "-1", "20000001"} {
		var got diskSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %d", text, got)
		}
	}
}

// A run shows a system from its first start on: a disk that remembers another one is refused before anything is
// started.
func TestRunWantsANewDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	kit.Must(t, os.WriteFile(file, nil, 0o600))
	v := runVerb{machineFlags: machineFlags{Arch: "riscv64", Disk: file}}
	err := v.Run(&grammar{Cache: t.TempDir(), Out: t.TempDir()})
	if err == nil || err.Error() != "cannot run on "+file+": the flow begins with a new disk" {
		t.Errorf("got %v", err)
	}
}
