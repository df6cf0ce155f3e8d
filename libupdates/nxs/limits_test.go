package nxs_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

func TestDefaultLimits(t *testing.T) {
	if got := nxs.DefaultLimits(); got.Archive != 100<<20 || got.Payload != 50<<20 {
		t.Fatalf("got %+v", got)
	}
}

func TestPayloadLimit(t *testing.T) {
	raw := smallArchive(t) // alpha's payload has 16 bytes
	for limit, want := range map[int64]refusal.Reason{16: "", 15: refusal.PayloadTooLarge} {
		_, err := readSet(bytes.NewReader(raw), int64(len(raw)), nxs.Limits{Archive: 1 << 20, Payload: limit})
		wantReason(t, err, want)
	}
}

func TestIndexLimit(t *testing.T) {
	largest := padded(smallIndex(t), nxs.MaxIndex)
	_, err := read(updatestest.ArchiveOf(t, updatestest.Key(1), largest, small()...))
	wantReason(t, err, "")
	_, err = read(updatestest.ArchiveOf(t, updatestest.Key(1), append(largest, 0), small()...))
	wantReason(t, err, refusal.IndexTooLarge)
	_, err = nxs.ParseIndex(append(largest, 0))
	wantReason(t, err, refusal.IndexTooLarge)
}

// A size over the limit, or over the rest of the archive, is refused with the header: nothing is allocated for it.
func TestSizesAreRefusedByTheirHeader(t *testing.T) {
	for _, c := range []struct {
		entry int
		size  int64
		want  refusal.Reason
	}{
		{0, nxs.MaxIndex + 1, refusal.IndexTooLarge},
		{1, nxs.SignatureSize + 1, refusal.BadSignatureLength},
		{2, nxs.MaxManifest + 1, refusal.ManifestTooLarge},
		{0, 1<<36 - 1, refusal.IndexTooLarge},
		{2, 1<<36 - 1, refusal.ManifestTooLarge},
	} {
		raw := with(t, c.entry,
			func(e *entry) { e.header = func(b []byte) { copy(b[124:], fmt.Sprintf("%012o", c.size)) } })
		stream := &counter{r: bytes.NewReader(raw)}
		_, err := readSet(stream, int64(len(raw)), nxs.DefaultLimits())
		wantReason(t, err, c.want)
		if after := int64(place(t, c.entry) + 512); stream.n != after {
			t.Errorf("entry %d of %d bytes: %d bytes were read, its header ends at %d", c.entry, c.size, stream.n,
				after)
		}
	}
	// 1 MiB, the limit
	raw := with(t, 0, func(e *entry) { e.header = func(b []byte) { copy(b[124:], "00004000000\x00") } })
	_, err := readSet(io.MultiReader(bytes.NewReader(raw[:512]), failing{t}), int64(len(raw)), nxs.DefaultLimits())
	wantReason(t, err, refusal.Truncated)
}

// failing is a stream that must not be read.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the stream was read")
	return 0, io.EOF
}

// The index bounds the size of the archive: an impossible announced size is refused before the first bundle is read.
func TestAnnouncedSizeIsHeldAgainstTheIndex(t *testing.T) {
	raw := smallArchive(t)
	for _, c := range []struct {
		announced int
		want      refusal.Reason
	}{
		{len(raw), ""},
		{len(raw) - 3*512 - 1, refusal.Truncated},
		{len(raw) + 2*(nxs.MaxManifest+512), refusal.TrailingData},
	} {
		in := nxs.NewReader(io.MultiReader(bytes.NewReader(raw)), int64(c.announced), nxs.DefaultLimits(), verify)
		_, err := in.Open()
		wantReason(t, err, c.want)
	}
}

// The announced size is larger than the archive, which is complete.
func TestRejectShorterThanAnnounced(t *testing.T) {
	raw := smallArchive(t)
	_, err := readSet(bytes.NewReader(raw), int64(len(raw))+512, nxs.DefaultLimits())
	wantReason(t, err, refusal.TrailingData)
}

func TestManifestLimit(t *testing.T) {
	for size, want := range map[int]refusal.Reason{nxs.MaxManifest: "", nxs.MaxManifest + 8: refusal.ManifestTooLarge} {
		made := small()
		made[0].Manifest = padded(made[0].Manifest, size)
		made[0].Entry.ManifestSHA256 = nxs.Sum(made[0].Manifest)
		_, err := read(updatestest.Archive(t, updatestest.Key(1), "1.1.0", made...))
		wantReason(t, err, want)
	}
}

func TestBundleLimit(t *testing.T) {
	var made []updatestest.Made
	for i := range nxs.MaxBundles + 1 {
		made = append(made, updatestest.Bundle(numbered(i), "1.0.0", nil, nil, updatestest.Key(1)))
	}
	got, err := read(updatestest.Archive(t, updatestest.Key(1), "1.1.0", made[:nxs.MaxBundles]...))
	wantReason(t, err, "")
	if len(got.bundles) != nxs.MaxBundles {
		t.Errorf("got %d bundles", len(got.bundles))
	}
	_, err = read(updatestest.Archive(t, updatestest.Key(1), "1.1.0", made...))
	wantReason(t, err, refusal.TooManyBundles)
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "1048576": 1 << 20, "500MB": 500e6, "2GiB": 2 << 30, "16GiB": 16 << 30, "17179869184": 16 << 30,
		"17179869185": 0, "17GiB": 0, "0": 0, "0.5": 0, "-1": 0, "": 0, "GiB": 0, "much": 0, "1 1": 0,
		"99999999999999999999": 0,
	} {
		var got nxs.Size
		if err := got.UnmarshalText([]byte(text)); int64(got) != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}
