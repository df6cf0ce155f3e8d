package nxs_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"nexus/libupdates/nxs"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// underRoot is a state whose root has the first test key sign everything.
func underRoot(b *testing.B) roots.State {
	b.Helper()
	key := updatestest.Key(1)
	r := roots.Root{Version: 1, Family: "demo", Issued: 1, Keys: []roots.Key{{Public: key.Public()}}}
	for _, role := range []trust.Role{trust.RoleRoot, trust.RoleSystem} {
		r.Grants = append(r.Grants, roots.Grant{Role: role, Threshold: 1, Keys: []trust.PublicKey{key.Public()}})
	}
	document, err := r.Document()
	if err != nil {
		b.Fatal(err)
	}
	signature, err := key.Sign(document)
	if err != nil {
		b.Fatal(err)
	}
	s := roots.Signed{Version: 1, Document: document,
		Signatures: []trust.Signature{{Key: key.Public(), Bytes: [ed25519.SignatureSize]byte(signature)}}}
	state, err := roots.Begin([]roots.Signed{s}, s.Digest(), roots.Clock{})
	if err != nil {
		b.Fatal(err)
	}
	return state
}

// BenchmarkUnderRoot verifies an archive with one signature by a folder of keys and under a root, in turns, and
// compares the lower deciles.
func BenchmarkUnderRoot(b *testing.B) {
	for _, size := range []int{4 << 10, 3 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			key := updatestest.Key(1)
			raw := updatestest.Archive(b, key, "1.0.0",
				updatestest.Bundle("alpha", "1.0.0", nil, bytes.Repeat([]byte{1}, size), key))
			folder := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: key.Public()})
			state := underRoot(b)
			var verdict roots.Verdict
			byFolder := func(message, proof []byte) (trust.PublicKey, error) {
				return folder.Verify(trust.RoleSystem, message, proof)
			}
			byRoot := func(message, proof []byte) (key trust.PublicKey, err error) {
				verdict, err = state.Root.Verify(trust.RoleSystem, message, proof, nil)
				return verdict.Publisher, err
			}
			once := func(verify nxs.VerifyFunc) time.Duration {
				start := time.Now()
				head, err := readBy(raw, verify, nil)
				if err == nil && verdict.Root > 0 {
					err = state.Admit(verdict, head.Index.Claim(), roots.Clock{})
				}
				if err != nil {
					b.Fatal(err)
				}
				verdict = roots.Verdict{}
				return time.Since(start)
			}
			var without, with []time.Duration
			for b.Loop() {
				without, with = append(without, once(byFolder)), append(with, once(byRoot))
			}
			b.ReportMetric(float64(decile(with))/float64(decile(without)), "root/folder")
		})
	}
}

// decile is below nine tenths: what other work on the machine adds is not of interest.
func decile(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/10]
}
