package demo

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nexus/libupdates/nxs"
)

// WithCore packs a set, in dir, of the healthy services of v1.1.0, which Make has put into output, and of a program as
// its core. Set and core have this version. It returns the set's file.
func WithCore(bin, output, version, program, dir string) (string, error) {
	m := maker{bin: bin, output: output, show: io.Discard}
	bundles := filepath.Join(dir, "bundles")
	if err := os.CopyFS(bundles, os.DirFS(m.at("work", "1.1.0", "bundles"))); err != nil {
		return "", err
	}
	manifest, meta, set := filepath.Join(dir, "core.toml"), filepath.Join(dir, "system-set.toml"),
		filepath.Join(dir, "system-v"+version+".nxs")
	text := fmt.Sprintf("name = %q\nversion = %q\nabilities = []\ncaps = []\nmin_sdk = \"1.0.0\"\n", nxs.CoreName,
		version)
	if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
		return "", err
	}
	if err := os.WriteFile(meta, fmt.Appendf(nil, "system_version = %q\n", version), 0o644); err != nil {
		return "", err
	}
	key := m.at("keys", "demo")
	err := m.run(filepath.Join(bin, "nxb-pack"), "--toml", manifest, "--key", key, program,
		filepath.Join(bundles, nxs.CoreName+".nxb"))
	if err == nil {
		err = m.run(filepath.Join(bin, "nxs-pack"), "--input", bundles, "--meta", meta, "--key", key, "--output", set)
	}
	return set, err
}
