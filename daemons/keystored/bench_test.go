package keystored_test

import (
	"slices"
	"testing"
	"time"

	"nexus/capnpgen/keystore"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/roots"
	"nexus/libupdates/updatestest"
)

// BenchmarkAdmission asks, as a stage does, whose a set with one signature is and whether it may be installed, in turns
// of a device with a folder of keys and one with a root. It compares the lower deciles, of the first question alone and
// of both.
func BenchmarkAdmission(b *testing.B) {
	dir := trusting(b, b.TempDir(), "system", updatestest.Key(3))
	folder, rooted := device(b, dir, b.TempDir(), january), device(b, dir, b.TempDir(), january)
	first := root(b, 1, func(r *roots.Root) { r.Grants[1].Threshold, r.Grants[1].Keys = 1, public(3) })
	pin := first.Digest()
	if _, reason := update(b, rooted, first.Encode(), pin[:]); reason != "" {
		b.Fatal(reason)
	}
	raw, proof := index(b, 3, january, 0)
	ask := func(d *vattest.Daemon) func(whole bool) time.Duration {
		verifier := keystore.Verifier(d.Client("Verifier", "updated", "system"))
		admission := keystore.SetAdmission(d.Client("SetAdmission", "updated"))
		return func(whole bool) time.Duration {
			start := time.Now()
			answer, release := verifier.Verify(b.Context(), func(p keystore.Verifier_verify_Params) error {
				if err := p.SetMessage_(raw); err != nil {
					return err
				}
				return p.SetSignature(proof)
			})
			res, err := answer.Struct()
			if err != nil {
				b.Fatal(err)
			}
			if publisher, err := res.Publisher(); err != nil || len(publisher) == 0 {
				b.Fatal("not verified")
			}
			release()
			if whole {
				answer, release := admission.Admit(b.Context(), func(p keystore.SetAdmission_admit_Params) error {
					if err := p.SetMessage_(raw); err != nil {
						return err
					}
					return p.SetSignature(proof)
				})
				if res, err := answer.Struct(); err != nil || res.HasRefusal() {
					b.Fatal("not admitted")
				}
				release()
			}
			return time.Since(start)
		}
	}
	byFolder, byRoot := ask(folder), ask(rooted)
	var without, with, alone, rootAlone []time.Duration
	for b.Loop() {
		alone, rootAlone = append(alone, byFolder(false)), append(rootAlone, byRoot(false))
		without, with = append(without, byFolder(true)), append(with, byRoot(true))
	}
	b.ReportMetric(float64(decile(with))/float64(decile(without)), "root/folder-both")
	b.ReportMetric(float64(decile(rootAlone))/float64(decile(alone)), "root/folder-verify")
}

// decile is below nine tenths: what other work on the machine adds is not of interest.
func decile(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/10]
}
