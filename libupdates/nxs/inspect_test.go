package nxs_test

import (
	"bytes"
	"context"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

func inspect(raw []byte) (*nxs.Inspection, error) {
	return nxs.Inspect(context.Background(), bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits())
}

// Inspect accepts sets of untrusted publishers.
func TestInspect(t *testing.T) {
	found, err := inspect(updatestest.Archive(t, updatestest.Key(9), "1.1.0", small()...))
	if err != nil {
		t.Fatal(err)
	}
	if !found.SignatureValid || found.Index.Publisher != updatestest.Key(9).Public() || len(found.Manifests) != 2 ||
		found.Manifests[1].Name != "beta" {
		t.Errorf("got %+v", found)
	}
}

func TestInspectReportsAWrongSignature(t *testing.T) {
	for name, raw := range map[string][]byte{
		"zeros":         with(t, 1, func(e *entry) { e.body = make([]byte, 64) }),
		"another key's": updatestest.ArchiveOf(t, updatestest.Key(2), smallIndex(t), small()...),
	} {
		found, err := inspect(raw)
		if err != nil || found.SignatureValid {
			t.Errorf("%s: got %+v, %v", name, found, err)
		}
	}
}

// Everything except the signature is checked as usual.
func TestInspectRefuses(t *testing.T) {
	for _, c := range hostileArchives(t) {
		if _, err := inspect(c.raw); refusal.Of(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for _, c := range hostileIndexes(t) {
		if _, err := inspect(pack(entriesOf(t, c.raw, small()...)...)); refusal.Of(err) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
