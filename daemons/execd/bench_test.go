package execd

import (
	"os"
	"path/filepath"
	"testing"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/digest"
	"nexus/libupdates/nxs"
)

// BenchmarkLoad brings a payload of 50 MiB from bundlemgrd into sealed memory, by calls and from its file, by either
// digest: what a service waits for before its first instruction.
func BenchmarkLoad(b *testing.B) {
	program := append(programFor(plat.Machine()), make([]byte, 50<<20)...)
	name := filepath.Join(b.TempDir(), "payload.elf")
	if err := os.WriteFile(name, program, 0o600); err != nil {
		b.Fatal(err)
	}
	var tree digest.Tree
	tree.Write(program)
	plain := spec{name: "hello", digest: nxs.Sum(program), size: int64(len(program))}
	blocks := plain
	blocks.verity = tree.Sum()
	for _, way := range []struct {
		name string
		mgr  *fakeBundlemgrd
		spec spec
	}{
		{"calls, sha256", &fakeBundlemgrd{payload: program}, plain},
		{"file, sha256", &fakeBundlemgrd{file: name}, plain},
		{"file, blocks", &fakeBundlemgrd{file: name}, blocks},
	} {
		b.Run(way.name, func(b *testing.B) {
			used, _ := connected(b, way.mgr)
			holding := vat.NewHolding("BundleMgr")
			holding.Renew(used)
			s := newPayloads(holding, plat.RealClock{}, nil)
			b.SetBytes(int64(len(program)))
			for b.Loop() {
				payload, err := s.load(b.Context(), way.spec)
				if err != nil {
					b.Fatal(err)
				}
				payload.Close()
			}
		})
	}
}
