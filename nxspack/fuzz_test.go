package nxspack

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// tomlSeeds returns the metadata files of all scenarios, valid and invalid.
func tomlSeeds(f *testing.F) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	seeds := 0
	for _, name := range scripts {
		script, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range script.Files {
			if strings.HasSuffix(file.Name, ".toml") {
				f.Add(file.Data)
				seeds++
			}
		}
	}
	if seeds < 20 {
		f.Fatalf("%d metadata files in testdata: where are the others?", seeds)
	}
}

// FuzzManifestToml: any file is refused with a reason, or gives a manifest that a device reads the same.
func FuzzManifestToml(f *testing.F) {
	tomlSeeds(f)
	payload, key := []byte("payload"), updatestest.Key(1)
	f.Fuzz(func(t *testing.T, text []byte) {
		meta, err := decodeManifestToml(text)
		if err != nil {
			wantRefusal(t, err, refusal.BadMetadata, refusal.BadPower, refusal.UnknownCapability)
			return
		}
		m, err := meta.sign(contentOf(payload), key)
		if err != nil {
			wantRefusal(t, err, refusal.BadMetadata, refusal.PublisherMismatch, refusal.InvalidSignature)
			return
		}
		raw, err := m.Encode()
		if err != nil {
			if refusal.Of(err) == refusal.IO {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		again, err := nxb.ParseManifest(raw)
		if err != nil {
			if refusal.Of(err) == refusal.IO {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		if encoded, err := again.Encode(); err != nil || string(encoded) != string(raw) {
			t.Fatalf("read as %+v, %v, want %+v", again, err, m)
		}
	})
}

// FuzzSetToml: any file is refused with a reason, or gives an index with the content of the file.
func FuzzSetToml(f *testing.F) {
	tomlSeeds(f)
	key := updatestest.Key(1)
	bundles := []bundleFolder{{entry: fuzzEntry("notes")},
		{entry: fuzzEntry("ui"), manifest: nxb.Manifest{Abilities: []string{nxb.AbilityService}}}}
	f.Fuzz(func(t *testing.T, text []byte) {
		meta, err := decodeMeta(text)
		if err != nil {
			wantRefusal(t, err, refusal.BadMetadata)
			return
		}
		set, err := newPreparedSet(meta, bundles, key)
		if err != nil {
			if refusal.Of(err) == refusal.IO {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		x := set.index
		if x.SystemVersion != meta.SystemVersion || x.TimestampUnixMs != uint64(meta.TimestampUnixMs) ||
			x.VersionFloor != meta.VersionFloor ||
			!reflect.DeepEqual(x.Health, nxs.Health{Deadline: meta.Health.Deadline, Watch: meta.Health.Watch,
				Quorum: meta.Health.Quorum}) {
			t.Fatalf("read as %+v, want %+v", x, meta)
		}
	})
}

func fuzzEntry(name string) nxs.Entry {
	return nxs.Entry{Name: name, Version: "1.0.0", ManifestSHA256: nxs.Sum([]byte(name)), PayloadSHA256: nxs.Sum(nil),
		PayloadSize: 1}
}

func wantRefusal(t *testing.T, err error, reasons ...refusal.Reason) {
	t.Helper()
	for _, r := range reasons {
		if refusal.Of(err) == r {
			return
		}
	}
	t.Fatalf("refused as %q (%v), want one of %q", refusal.Of(err), err, reasons)
}
