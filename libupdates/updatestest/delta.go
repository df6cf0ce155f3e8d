package updatestest

import (
	"bytes"
	"testing"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// Delta returns a delta from a set of old bundles to one of fresh bundles, signed by the key: nothing of a payload that
// is old, else a patch on the bundle of the same name if that is smaller.
func Delta(t testing.TB, key trust.Signer, version string, old, fresh []Made) []byte {
	t.Helper()
	var sources []nxs.DeltaSource
	for _, b := range sorted(fresh) {
		sources = append(sources, source(t, old, b))
	}
	return DeltaOf(t, key, version, fresh, sources)
}

// DeltaOf returns a delta to a set of bundles that makes them as the sources say, in the order of their names.
func DeltaOf(t testing.TB, key trust.Signer, version string, fresh []Made, sources []nxs.DeltaSource) []byte {
	t.Helper()
	raw, err := Index(key, version, fresh...).Encode()
	if err != nil {
		t.Fatal(err)
	}
	head := &nxs.Head{Raw: raw, Digest: nxs.Sum(raw), Signature: signed(t, key, raw)}
	x := nxs.DeltaIndex{Set: head.Digest}
	for _, s := range sources {
		x.Makings = append(x.Makings, s.Making)
	}
	rawDelta, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = nxs.WriteDelta(&out, head, rawDelta, signed(t, key, nxs.DeltaMessage(rawDelta)), sources)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func source(t testing.TB, old []Made, b Made) nxs.DeltaSource {
	t.Helper()
	s := nxs.DeltaSource{Entry: b.Entry, RawManifest: b.Manifest, Making: nxs.Making{Way: nxs.Whole},
		Content: bytes.NewReader(b.Payload)}
	for _, o := range old {
		if o.Entry.PayloadSHA256 == b.Entry.PayloadSHA256 {
			s.Making.Way, s.Content = nxs.Held, nil
			return s
		}
	}
	for _, o := range old {
		if o.Entry.Name != b.Entry.Name {
			continue
		}
		var patch bytes.Buffer
		p, err := delta.Make(&patch, bytes.NewReader(o.Payload), o.Entry.PayloadSize, bytes.NewReader(b.Payload),
			b.Entry.PayloadSize)
		if err != nil {
			t.Fatal(err)
		}
		if size := int64(patch.Len()); size < b.Entry.PayloadSize {
			s.Making = nxs.Making{Way: nxs.Patch, Base: o.Entry.PayloadSHA256, PatchSize: size, Patch: p}
			s.Content = &patch
		}
	}
	return s
}

func signed(t testing.TB, key trust.Signer, message []byte) []byte {
	t.Helper()
	signature, err := key.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}
