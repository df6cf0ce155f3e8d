package nxspack_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
	"nexus/oci"
	"nexus/oci/ocitest"
)

// deltaFile writes a delta between sets of bundles with these payloads, by name.
func deltaFile(t *testing.T, name, version string, old, fresh map[string]string) []byte {
	t.Helper()
	key := updatestest.Key(1)
	made := func(payloads map[string]string) (all []updatestest.Made) {
		for bundle, payload := range payloads {
			all = append(all, updatestest.Bundle(bundle, "1.0.0", nil, []byte(payload), key))
		}
		return all
	}
	raw := updatestest.Delta(t, key, version, made(old), made(fresh))
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return raw
}

// deltasOf returns the deltas that a registry has of a set.
func deltasOf(t *testing.T, reference string) []*oci.Delta {
	t.Helper()
	ref, err := oci.Parse(reference)
	if err != nil {
		t.Fatal(err)
	}
	client, err := oci.New(ref, oci.Options{Pace: liarPace()})
	if err != nil {
		t.Fatal(err)
	}
	set, err := client.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	deltas, err := set.Deltas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return deltas
}

// pushedDeltas are what --json says of the deltas that were pushed.
func pushedDeltas(t *testing.T, args ...string) (manifest string, deltas []outcome) {
	t.Helper()
	var answer struct {
		ManifestSHA256 string
		Deltas         []outcome
	}
	var stdout, stderr bytes.Buffer
	if set(append(args, "--json"), &stdout, &stderr); json.Unmarshal(stdout.Bytes(), &answer) != nil {
		t.Fatalf("%s%s", stdout.String(), stderr.String())
	}
	return answer.ManifestSHA256, answer.Deltas
}

// Deltas are beside their set in every registry, and the set stays what it is.
func TestDeltasAreBesideTheirSet(t *testing.T) {
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			r := ocitest.Start(t, kind, ocitest.Options{})
			t.Chdir(t.TempDir())
			long := strings.Repeat("a line of the payload\n", 1<<10)
			olds := []map[string]string{{"alpha": long + "1", "beta": long}, {"alpha": "2" + long, "beta": long}}
			fresh := map[string]string{"alpha": long + "3", "beta": long}
			raw := setFile(t, "3.nxs", "3.0.0", fresh)
			deltaFile(t, "1.nxdelta", "3.0.0", olds[0], fresh)
			second := deltaFile(t, "2.nxdelta", "3.0.0", olds[1], fresh)
			ref := "oci://" + r.Host + "/demo:3"
			before := succeed(t, "push", "3.nxs", ref).ManifestSHA256
			if found := deltasOf(t, ref); len(found) != 0 {
				t.Errorf("%d deltas before one was pushed", len(found))
			}
			for n, wants := range [][]int{{3}, {0, 3}, {0, 0}} { // blobs that the registry lacks: it has the config
				args := []string{"push", "3.nxs", ref}
				for i := range wants {
					args = append(args, "--delta", []string{"1.nxdelta", "2.nxdelta"}[i])
				}
				manifest, deltas := pushedDeltas(t, args...)
				if manifest != before || len(deltas) != len(wants) {
					t.Fatalf("push %d: manifest %s, was %s, %d deltas", n, manifest, before, len(deltas))
				}
				for i, want := range wants {
					if deltas[i].Pushed != want || deltas[i].Blobs != 4 {
						t.Errorf("push %d: %d of %d blobs of delta %d, want %d", n, deltas[i].Pushed,
							deltas[i].Blobs, i, want)
					}
				}
			}
			wantDeltas(t, deltasOf(t, ref), olds, second)
			succeed(t, "pull", ref, "--output", "pulled.nxs")
			sameBytes(t, "pulled.nxs", raw)
		})
	}
}

// wantDeltas wants two deltas, of which the second has these bytes.
func wantDeltas(t *testing.T, got []*oci.Delta, olds []map[string]string, second []byte) {
	t.Helper()
	if len(got) != 2 {
		t.Fatalf("%d deltas, want 2", len(got))
	}
	bases := map[nxs.Digest]bool{}
	for _, d := range got {
		patch := d.Patches["alpha"]
		bases[patch.Base] = true
		if len(d.Patches) != 1 || patch.Name != "alpha.nxb/payload.patch" {
			t.Errorf("got the patches %v", d.Patches)
		}
		var fetched int64
		index, signature, err := d.Head(t.Context(), &fetched)
		if err != nil {
			t.Fatal(err)
		}
		from, err := d.Patch(t.Context(), patch, 5, &fetched)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(from)
		from.Close()
		if err != nil || fetched != int64(len(index)+len(signature)+len(rest)) || int64(len(rest)) != patch.Size-5 {
			t.Errorf("fetched %d bytes, the rest of the patch has %d of %d: %v", fetched, len(rest), patch.Size, err)
		}
		if patch.Base == nxs.Sum([]byte(olds[1]["alpha"])) &&
			!(strings.Contains(string(second), string(index)) && strings.Contains(string(second), string(rest))) {
			t.Error("the registry has other bytes than the delta")
		}
	}
	for _, old := range olds {
		if !bases[nxs.Sum([]byte(old["alpha"]))] {
			t.Errorf("no patch is from %s", nxs.Sum([]byte(old["alpha"])))
		}
	}
}

// What is not a delta of the set is refused, and nothing is pushed.
func TestPushRefusesOtherDeltas(t *testing.T) {
	r := ocitest.Start(t, ocitest.Distribution, ocitest.Options{})
	t.Chdir(t.TempDir())
	old, fresh := map[string]string{"alpha": "1"}, map[string]string{"alpha": "2"}
	setFile(t, "2.nxs", "2.0.0", fresh)
	other := maps.Clone(fresh)
	other["beta"] = ""
	deltaFile(t, "other.nxdelta", "2.0.0", old, other)
	damaged := deltaFile(t, "damaged.nxdelta", "2.0.0", old, fresh)
	damaged[len(damaged)/3] ^= 1
	if err := os.WriteFile("damaged.nxdelta", damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	ref := "oci://" + r.Host + "/demo:2"
	refused(t, "digest-mismatch", "push", "2.nxs", ref, "--delta", "other.nxdelta")
	refused(t, "missing-entry", "push", "2.nxs", ref, "--delta", "2.nxs")
	refused(t, "io", "push", "2.nxs", ref, "--delta", "none")
	if o := packJSON(t, "push", "2.nxs", ref, "--delta", "damaged.nxdelta"); o.Reason == "" {
		t.Error("a damaged delta was pushed")
	}
	refused(t, "not-in-registry", "pull", ref, "--output", "no.nxs")
}
