package roots_test

import (
	"testing"
	"time"

	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// longChain is a chain of 100 roots of 16 keys, all of which must sign, and a state before its first step.
func longChain(b *testing.B) (roots.State, []roots.Signed) {
	var who []byte
	for n := range byte(16) {
		who = append(who, n+1)
	}
	at := func(version uint64) roots.Signed {
		r := but(good(), func(r *roots.Root) {
			r.Version, r.Keys = version, named(who...)
			r.Grants[0] = roots.Grant{Role: trust.RoleRoot, Threshold: 16, Keys: pubs(who...)}
		})
		return signed(b, r, who...)
	}
	first := at(1)
	state, err := roots.Begin([]roots.Signed{first}, first.Digest(), roots.Clock{})
	if err != nil {
		b.Fatal(err)
	}
	var chain []roots.Signed
	for version := range uint64(100) {
		chain = append(chain, at(version+2))
	}
	return state, chain
}

// BenchmarkChain walks 100 roots, and compares with the bare verifications of their 1,600 signatures.
func BenchmarkChain(b *testing.B) {
	state, chain := longChain(b)
	file := join(chain)
	var bare, walk time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		for _, s := range chain {
			for _, signature := range s.Signatures {
				if !signature.Key.Signed(s.Document, signature.Bytes[:]) {
					b.Fatal("a signature does not verify")
				}
			}
		}
		bare += time.Since(start)
		start = time.Now()
		split, err := roots.Split(file)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := state.Update(split, roots.Clock{}); err != nil {
			b.Fatal(err)
		}
		walk += time.Since(start)
	}
	b.ReportMetric(float64(walk)/float64(bare), "walk/bare")
}
