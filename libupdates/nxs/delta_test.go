package nxs_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// oldText and newText are the payloads between which the small delta has a patch.
var (
	oldText = bytes.Repeat([]byte("a line of the old payload\n"), 40)
	newText = append(bytes.Clone(oldText), "and a line that is new\n"...)
)

// deltaBundles are the bundles that the small delta makes: one held, one patched, one whole.
func deltaBundles() []updatestest.Made {
	key := updatestest.Key(1)
	return []updatestest.Made{
		updatestest.Bundle("held", "1.0.0", nil, oldText[:100], key),
		updatestest.Bundle("patched", "1.0.0", nil, newText, key),
		updatestest.Bundle("whole", "1.0.0", nil, []byte("all of it"), key),
	}
}

// A madeDelta is the small delta in its parts, to be changed by tests.
type madeDelta struct {
	rawIndex, signature      []byte
	index                    nxs.DeltaIndex
	rawDelta, deltaSignature []byte // if nil, made of index
	bundles                  []updatestest.Made
	patch                    []byte
	signer                   trust.Signer
	leave                    func([]entry) []entry
}

func newDelta(t testing.TB) *madeDelta {
	t.Helper()
	d := &madeDelta{bundles: deltaBundles(), signer: updatestest.Key(1)}
	var err error
	if d.rawIndex, err = updatestest.Index(d.signer, "2.0.0", d.bundles...).Encode(); err != nil {
		t.Fatal(err)
	}
	if d.signature, err = d.signer.Sign(d.rawIndex); err != nil {
		t.Fatal(err)
	}
	var patch bytes.Buffer
	p, err := delta.Make(&patch, bytes.NewReader(oldText), int64(len(oldText)), bytes.NewReader(newText),
		int64(len(newText)))
	if err != nil {
		t.Fatal(err)
	}
	d.patch = patch.Bytes()
	d.index = nxs.DeltaIndex{Set: nxs.Sum(d.rawIndex), Makings: []nxs.Making{{Way: nxs.Held},
		{Way: nxs.Patch, Base: nxs.Sum(oldText), PatchSize: int64(patch.Len()), Patch: p}, {Way: nxs.Whole}}}
	return d
}

// entries returns the entries of the delta.
func (d *madeDelta) entries(t testing.TB) []entry {
	t.Helper()
	raw, signature := d.rawDelta, d.deltaSignature
	var err error
	if raw == nil {
		if raw, err = d.index.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	if signature == nil {
		if signature, err = d.signer.Sign(nxs.DeltaMessage(raw)); err != nil {
			t.Fatal(err)
		}
	}
	return []entry{{name: nxs.IndexName, body: d.rawIndex}, {name: nxs.SignatureName, body: d.signature},
		{name: nxs.DeltaName, body: raw}, {name: nxs.DeltaSignatureName, body: signature},
		{name: "held.nxb/manifest.nxb", body: d.bundles[0].Manifest},
		{name: "patched.nxb/manifest.nxb", body: d.bundles[1].Manifest},
		{name: "patched.nxb/payload.patch", body: d.patch},
		{name: "whole.nxb/manifest.nxb", body: d.bundles[2].Manifest},
		{name: "whole.nxb/payload.elf", body: d.bundles[2].Payload}}
}

// holding finds payloads by digest.
func holding(payloads ...[]byte) nxs.FindFunc {
	return func(digest nxs.Digest) (io.ReaderAt, int64, error) {
		for _, p := range payloads {
			if nxs.Sum(p) == digest {
				return bytes.NewReader(p), int64(len(p)), nil
			}
		}
		return nil, 0, refusal.New(refusal.MissingBase, "no payload %s", digest)
	}
}

// rebuilt returns the set that a delta makes.
func rebuilt(raw []byte, limits nxs.Limits, find nxs.FindFunc) ([]byte, error) {
	d := nxs.NewDeltaReader(iotest.HalfReader(bytes.NewReader(raw)), int64(len(raw)), limits, verify)
	if _, err := d.Open(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err := d.Rebuild(&out, find)
	return out.Bytes(), err
}

// checked reads a whole delta without bases.
func checked(raw []byte, limits nxs.Limits) error {
	d := nxs.NewDeltaReader(bytes.NewReader(raw), int64(len(raw)), limits, verify)
	_, err := d.Open()
	for err == nil {
		_, err = d.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// TestDeltaMakesTheSet: the result is byte for byte the set, and the writer makes the same delta as by hand.
func TestDeltaMakesTheSet(t *testing.T) {
	d := newDelta(t)
	raw := pack(d.entries(t)...)
	got, err := rebuilt(raw, nxs.DefaultLimits(), holding(oldText, oldText[:100]))
	if err != nil {
		t.Fatal(err)
	}
	if want := updatestest.Archive(t, d.signer, "2.0.0", d.bundles...); !bytes.Equal(got, want) {
		t.Error("the set that was made differs")
	}
	if err := checked(raw, nxs.DefaultLimits()); err != nil {
		t.Error(err)
	}
	entries := d.entries(t)
	var out bytes.Buffer
	err = nxs.WriteDelta(&out, &nxs.Head{Raw: d.rawIndex, Signature: d.signature}, entries[2].body, entries[3].body,
		[]nxs.DeltaSource{
			{Entry: d.bundles[0].Entry, RawManifest: d.bundles[0].Manifest, Making: d.index.Makings[0]},
			{d.bundles[1].Entry, d.bundles[1].Manifest, d.index.Makings[1], bytes.NewReader(d.patch)},
			{d.bundles[2].Entry, d.bundles[2].Manifest, d.index.Makings[2], bytes.NewReader(d.bundles[2].Payload)}})
	if err != nil || !bytes.Equal(out.Bytes(), raw) {
		t.Errorf("the writer makes another delta, %v", err)
	}
	if !nxs.IsDelta(bytes.NewReader(raw), int64(len(raw))) || nxs.IsDelta(bytes.NewReader(got), int64(len(got))) {
		t.Error("a delta and a set are taken for each other")
	}
}

// TestDeltaRefused: each fault is refused for its own reason, with and without bases at hand.
func TestDeltaRefused(t *testing.T) {
	without := func(i int) func([]entry) []entry {
		return func(all []entry) []entry { return slices.Delete(all, i, i+1) }
	}
	for name, c := range map[string]struct {
		change func(*madeDelta)
		want   refusal.Reason
	}{
		"set not signed":       {func(d *madeDelta) { d.leave = without(1) }, refusal.Unsigned},
		"set signed by others": {func(d *madeDelta) { d.signature = sign(2, d.rawIndex) }, refusal.InvalidSignature},
		"no index":             {func(d *madeDelta) { d.leave = without(2) }, refusal.MissingEntry},
		"not signed":           {func(d *madeDelta) { d.leave = without(3) }, refusal.Unsigned},
		"signed by others":     {func(d *madeDelta) { d.signer = updatestest.Key(2) }, refusal.InvalidSignature},
		"signed as a set is": {func(d *madeDelta) {
			d.rawDelta, _ = d.index.Encode()
			d.deltaSignature = sign(1, d.rawDelta)
		}, refusal.InvalidSignature},
		"signature too short": {func(d *madeDelta) { d.deltaSignature = make([]byte, 63) },
			refusal.BadSignatureLength},
		"index is no message": {func(d *madeDelta) { d.rawDelta = []byte("no message") }, refusal.BadIndex},
		"index too large": {func(d *madeDelta) { d.rawDelta = make([]byte, nxs.MaxIndex+1) },
			refusal.IndexTooLarge},
		"of another set":    {func(d *madeDelta) { d.index.Set[0] ^= 1 }, refusal.BadIndex},
		"a payload too few": {func(d *madeDelta) { d.index.Makings = d.index.Makings[:2] }, refusal.BadIndex},
		"a way that is not": {func(d *madeDelta) { d.index.Makings[0].Way = 4 }, refusal.BadIndex},
		"no way":            {func(d *madeDelta) { d.index.Makings[0].Way = 0 }, refusal.BadIndex},
		"a patch too large": {func(d *madeDelta) { d.index.Makings[1].PatchSize = int64(len(newText)) },
			refusal.BadIndex},
		"a base too large": {func(d *madeDelta) { d.index.Makings[1].Patch.OldSize = nxs.MaxPolicy + 1 },
			refusal.BadIndex},
		"a block too large": {func(d *madeDelta) { d.index.Makings[1].Patch.First.Size = 1 << 20 },
			refusal.BadIndex},
		"a wrong base size":  {func(d *madeDelta) { d.index.Makings[1].Patch.OldSize++ }, refusal.SizeMismatch},
		"a wrong patch size": {func(d *madeDelta) { d.patch = append(d.patch, 0) }, refusal.SizeMismatch},
		"a wrong block": {func(d *madeDelta) { d.index.Makings[1].Patch.First.Digest[5] ^= 1 },
			refusal.DigestMismatch},
		"a damaged patch":    {func(d *madeDelta) { d.patch[len(d.patch)-1] ^= 1 }, refusal.DigestMismatch},
		"a damaged manifest": {func(d *madeDelta) { d.bundles[1].Manifest[9] ^= 1 }, refusal.DigestMismatch},
		"a damaged payload":  {func(d *madeDelta) { d.bundles[2].Payload[0] ^= 1 }, refusal.DigestMismatch},
		"a payload for a patch": {func(d *madeDelta) { d.index.Makings[1] = nxs.Making{Way: nxs.Whole} },
			refusal.UnexpectedEntry},
		"no patch":        {func(d *madeDelta) { d.leave = without(6) }, refusal.MissingEntry},
		"no last payload": {func(d *madeDelta) { d.leave = without(8) }, refusal.MissingEntry},
		"a file too much": {func(d *madeDelta) {
			d.leave = func(all []entry) []entry { return append(all, entry{name: "more", body: []byte("x")}) }
		}, refusal.UnexpectedEntry},
		"the held payload, too": {func(d *madeDelta) {
			d.leave = func(all []entry) []entry {
				return slices.Insert(all, 5, entry{name: "held.nxb/payload.elf", body: d.bundles[0].Payload})
			}
		}, refusal.DuplicateEntry},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDelta(t)
			c.change(d)
			entries := d.entries(t)
			if d.leave != nil {
				entries = d.leave(entries)
			}
			raw := pack(entries...)
			_, err := rebuilt(raw, nxs.DefaultLimits(), holding(oldText, oldText[:100]))
			wantReason(t, err, c.want)
			wantReason(t, checked(raw, nxs.DefaultLimits()), c.want)
		})
	}
}

func sign(n byte, message []byte) []byte {
	signature, err := updatestest.Key(n).Sign(message)
	if err != nil {
		panic(err)
	}
	return signature
}

// TestDeltaBases: a base that is missing or is not what it is said to be.
func TestDeltaBases(t *testing.T) {
	raw := pack(newDelta(t).entries(t)...)
	lying := func(p []byte) nxs.FindFunc {
		return func(nxs.Digest) (io.ReaderAt, int64, error) { return bytes.NewReader(p), int64(len(p)), nil }
	}
	other := append([]byte("A"), oldText[1:]...)
	for name, c := range map[string]struct {
		find nxs.FindFunc
		want refusal.Reason
	}{
		"nothing held": {holding(), refusal.MissingBase},
		"no base":      {holding(oldText[:100]), refusal.MissingBase},
		"not the held": {holding(oldText), refusal.MissingBase},
		"a wrong size": {lying(oldText[:99]), refusal.SizeMismatch},
		"a wrong held": {lying(other[:100]), refusal.DigestMismatch},
		"a wrong base": {func(d nxs.Digest) (io.ReaderAt, int64, error) {
			if d == nxs.Sum(oldText) {
				return bytes.NewReader(other), int64(len(other)), nil
			}
			return holding(oldText[:100])(d)
		}, refusal.DigestMismatch},
	} {
		_, err := rebuilt(raw, nxs.DefaultLimits(), c.find)
		if refusal.Of(err) != c.want {
			t.Errorf("%s: got %q (%v), want %q", name, refusal.Of(err), err, c.want)
		}
	}
}

// TestDeltaLimits: the limits of the device's policy, on both sides.
func TestDeltaLimits(t *testing.T) {
	raw := pack(newDelta(t).entries(t)...)
	find := holding(oldText, oldText[:100])
	set, err := rebuilt(raw, nxs.DefaultLimits(), find)
	if err != nil {
		t.Fatal(err)
	}
	fits := nxs.Limits{Archive: int64(max(len(raw), len(set))), Payload: int64(len(newText))}
	if _, err := rebuilt(raw, fits, find); err != nil {
		t.Error(err)
	}
	_, err = rebuilt(raw, nxs.Limits{Archive: fits.Archive - 1, Payload: fits.Payload}, find)
	wantReason(t, err, refusal.ArchiveTooLarge)
	_, err = rebuilt(raw, nxs.Limits{Archive: fits.Archive, Payload: fits.Payload - 1}, find)
	wantReason(t, err, refusal.PayloadTooLarge)

	large := []updatestest.Made{updatestest.Bundle("large", "1.0.0", nil, make([]byte, 10_000), updatestest.Key(1))}
	raw = updatestest.Delta(t, updatestest.Key(1), "2.0.0", large, large)
	whole := int64(len(updatestest.Archive(t, updatestest.Key(1), "2.0.0", large...)))
	_, err = rebuilt(raw, nxs.Limits{Archive: whole, Payload: whole}, holding(large[0].Payload))
	if err != nil {
		t.Error(err)
	}
	_, err = rebuilt(raw, nxs.Limits{Archive: whole - 1, Payload: whole}, holding(large[0].Payload))
	wantReason(t, err, refusal.ArchiveTooLarge)
}

// TestDeltaCut: a delta that is cut anywhere, or damaged anywhere, is refused.
func TestDeltaCut(t *testing.T) {
	raw := pack(newDelta(t).entries(t)...)
	find := holding(oldText, oldText[:100])
	for n := 0; n < len(raw); n += 37 {
		if _, err := rebuilt(raw[:n], nxs.DefaultLimits(), find); refusal.Of(err) != refusal.Truncated {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
		d := nxs.NewDeltaReader(bytes.NewReader(raw[:n]), int64(len(raw)), nxs.DefaultLimits(), verify)
		if _, err := d.Open(); err == nil {
			if err := d.Rebuild(io.Discard, find); refusal.Of(err) != refusal.Truncated {
				t.Fatalf("stopped after %d bytes: %v", n, err)
			}
		}
		damaged := bytes.Clone(raw)
		damaged[n] ^= 1
		if got, err := rebuilt(damaged, nxs.DefaultLimits(), find); err == nil &&
			!strings.Contains(string(got), string(newText)) {
			t.Fatalf("damage at %d was not seen", n)
		} else if err != nil && refusal.Of(err) == refusal.IO {
			t.Fatalf("damage at %d: %v", n, err)
		}
	}
	_, err := rebuilt(append(bytes.Clone(raw), 0), nxs.DefaultLimits(), find)
	wantReason(t, err, refusal.TrailingData)
}

// FuzzDeltaIndex: whatever the index of a delta says, it is refused for a reason, or keeps within its bounds.
func FuzzDeltaIndex(f *testing.F) {
	d := newDelta(f)
	raw, err := d.index.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	index, err := nxs.ParseIndex(d.rawIndex)
	if err != nil {
		f.Fatal(err)
	}
	head := &nxs.Head{Index: index, Raw: d.rawIndex, Digest: nxs.Sum(d.rawIndex)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := nxs.ParseDeltaIndex(raw, head)
		if err != nil {
			if refusal.Of(err) == refusal.IO {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		for i, m := range x.Makings {
			if m.PatchSize >= max(1, head.Index.Bundles[i].PayloadSize) || m.Patch.First.Size > m.PatchSize {
				t.Fatalf("out of bounds: %+v", m)
			}
		}
	})
}
