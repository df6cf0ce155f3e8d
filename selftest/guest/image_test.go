package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
	"nexus/selftest/kernel"
	"nexus/selftest/kit"
)

// An image of one's own has one's own keys and set and nothing of the demo's; what could not start is refused.
func TestImageOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	signer := updatestest.Key(1)
	good := filepath.Join(dir, "good.nxs")
	raw := updatestest.Archive(t, signer, "1.0.0", updatestest.Bundle("hello", "1.0.0", nil, []byte("program"), signer))
	kit.Must(t, os.WriteFile(good, raw, 0o600))
	damaged := filepath.Join(dir, "damaged.nxs")
	raw[len(raw)/2] ^= 1
	kit.Must(t, os.WriteFile(damaged, raw, 0o600))
	own, other := signer.Public().Text(), updatestest.Key(2).Public().Text()
	p := place{out: dir, arch: "amd64"}
	for _, c := range []struct {
		name    string
		verb    imageVerb
		refused string // empty: it is not
	}{
		{"key and set", imageVerb{Trust: []string{other, own}, Factory: good}, ""},
		{"key alone", imageVerb{Trust: []string{own}}, ""},
		{"set without a key", imageVerb{Factory: good}, "--factory needs --trust"},
		{"another's set", imageVerb{Trust: []string{other}, Factory: good}, "is not trusted for the role system"},
		{"damaged set", imageVerb{Trust: []string{own}, Factory: damaged}, "cannot start from " + damaged},
		{"no set", imageVerb{Trust: []string{own}, Factory: dir + "/none"}, "no such file"},
		{"no key", imageVerb{Trust: []string{dir + "/none"}, Factory: good}, "cannot trust " + dir + "/none"},
		{"a secret", imageVerb{Trust: []string{trust.SeedText([32]byte{1})}, Factory: good}, "it is a private key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec, err := c.verb.spec(p, kernel.Cached{Modules: []string{"module.ko"}, DiskFS: []string{"fs.ko"}})
			switch {
			case c.refused == "" && err != nil, c.refused != "" && err == nil,
				err != nil && !strings.Contains(err.Error(), c.refused):
				t.Fatalf("got %v, want %q", err, c.refused)
			case err != nil:
				return
			}
			if !slices.Equal(spec.Trust, c.verb.Trust) || spec.Factory != c.verb.Factory || len(spec.Sets) != 0 ||
				!slices.Equal(spec.Modules, []string{"module.ko"}) || !slices.Equal(spec.DiskFS, []string{"fs.ko"}) ||
				spec.Binary != filepath.Join(dir, "nexus") {
				t.Errorf("got %+v", spec)
			}
		})
	}
}
