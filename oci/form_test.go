package oci_test

import (
	"os"
	"reflect"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
	"nexus/oci"
)

func entries() []oci.Entry {
	e := func(name, content string) oci.Entry {
		return oci.Entry{Name: name, Size: int64(len(content)), Digest: nxs.Sum([]byte(content))}
	}
	return []oci.Entry{e("root.nxroot", "roots"), e("system.nxsindex", "index"), e("system.sig.ed25519", "signature"),
		e("system.sigs.ed25519", "signatures"), e("alpha.nxb/manifest.nxb", "manifest"), e("alpha.nxb/payload.elf", "")}
}

func made(t testing.TB) []byte {
	t.Helper()
	index := nxs.Index{SystemVersion: "1.2.3", Publisher: updatestest.Key(1).Public()}
	raw, err := oci.ManifestOf(oci.TypeSet, nil, index, nxs.Sum([]byte("index")), entries())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The manifest of a set never changes: its digest is what people pin.
func TestManifestIsStable(t *testing.T) {
	const golden = "testdata/manifest.json"
	raw := made(t)
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(golden, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(raw) != string(want) {
		t.Errorf("the manifest is\n%s\nwant\n%s\n%v", raw, want, err)
	}
	if got, err := oci.EntriesOf(oci.TypeSet, raw); err != nil || !reflect.DeepEqual(got, entries()) {
		t.Errorf("got %v, %v", got, err)
	}
}

// Whatever a registry sends for a manifest is refused, or is within the bounds of a set.
func FuzzManifest(f *testing.F) {
	f.Add(made(f))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{"digest":""}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := oci.EntriesOf(oci.TypeSet, raw)
		if err != nil {
			if refusal.Of(err) != refusal.NotASet {
				t.Errorf("got %v", err)
			}
			return
		}
		if len(entries) > 4+2*nxs.MaxBundles {
			t.Errorf("got %d entries", len(entries))
		}
	})
}

func TestReferences(t *testing.T) {
	for _, text := range []string{"oci://localhost/demo:1", "oci://registry.example.com:5000/a/b-c/d_e:v1.0.0-rc.1",
		"oci://[::1]:5000/demo:1"} {
		ref, err := oci.Parse(text)
		if err != nil || ref.String() != text {
			t.Errorf("%s: got %s, %v", text, ref, err)
		}
	}
}
