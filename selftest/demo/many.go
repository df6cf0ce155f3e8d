package demo

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Many packs a set with that many bundles into dir. Each has the plain service of v1.0.0, which Make has put into
// output, under a name of its own. It returns the set's file.
func Many(bin, output string, bundles int, dir string) (string, error) {
	m := maker{bin: bin, output: output, show: io.Discard}
	key, in := m.at("keys", "demo"), filepath.Join(dir, "bundles")
	if err := os.MkdirAll(in, 0o755); err != nil {
		return "", err
	}
	manifest, meta, set := filepath.Join(dir, "manifest.toml"), filepath.Join(dir, "system-set.toml"),
		filepath.Join(dir, "system.nxs")
	for n := range bundles {
		name := fmt.Sprintf("plain-%02d", n+1)
		text := fmt.Sprintf(
			"name = %q\nversion = \"1.0.0\"\nabilities = [\"nexus.ability.Service\"]\ncaps = []\nmin_sdk = \"1.0.0\"\n",
			name)
		if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
			return "", err
		}
		err := m.run(filepath.Join(bin, "nxb-pack"), "--toml", manifest, "--key", key, m.at("work", "1.0.0", "ticker"),
			filepath.Join(in, name+".nxb"))
		if err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(meta, []byte("system_version = \"1.0.0\"\n"), 0o644); err != nil {
		return "", err
	}
	return set, m.run(filepath.Join(bin, "nxs-pack"), "--input", in, "--meta", meta, "--key", key, "--output", set)
}
