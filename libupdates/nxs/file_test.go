package nxs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// large returns a set with enough payloads, and large enough ones, that several are read in parallel.
func large(t *testing.T) []byte {
	t.Helper()
	var made []updatestest.Made
	for i := range 24 {
		payload := bytes.Repeat([]byte{byte(i)}, 300_000-i*12_345)
		made = append(made, updatestest.Bundle(fmt.Sprintf("bundle%02d", i), "1.0.0", nil, payload, updatestest.Key(1)))
	}
	return updatestest.Archive(t, updatestest.Key(1), "1.0.0", made...)
}

// payloadOf returns the offset of the n-th payload of the large set.
func payloadOf(t *testing.T, raw []byte, n int) int {
	t.Helper()
	at := bytes.Index(raw, fmt.Appendf(nil, "bundle%02d.nxb/payload.elf", n))
	if at < 0 {
		t.Fatalf("there is no payload %d", n)
	}
	return at + 512
}

// If there are several faults, the first one in the archive is reported, whatever was read at the same time: flipped
// bits in payloads, and a bad header after them.
func TestFirstFaultOfAFile(t *testing.T) {
	raw := large(t)
	if _, err := read(raw); err != nil {
		t.Fatal(err)
	}
	for first := 0; first < 24; first++ {
		bad := bytes.Clone(raw)
		for n := first; n < 24; n += 2 {
			bad[payloadOf(t, raw, n)+100] ^= 1
		}
		if first+1 < 24 {
			bad[payloadOf(t, raw, first+1)-512] ^= 1 // a header: the walk ends here
		}
		_, _, err := nxs.VerifyFile(t.Context(), bytes.NewReader(bad), int64(len(bad)), nxs.DefaultLimits(), verify)
		if want := fmt.Sprintf("digest mismatch in bundle%02d/payload.elf", first); err == nil || err.Error() != want ||
			refusal.Of(err) != refusal.DigestMismatch {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A read error is not a refusal, but it has a place in the order of faults like one.
func TestFileReadErrors(t *testing.T) {
	raw := large(t)
	broken := errors.New("the disk is broken")
	for _, c := range []struct {
		name    string
		broken  int // from here on
		flipped int // payload
		want    error
	}{
		{"in the index", 600, 0, broken},
		{"in a payload", payloadOf(t, raw, 5) + 5000, 6, broken},
		{"after a wrong payload", payloadOf(t, raw, 5) + 5000, 4, nil},
		{"in the last block", len(raw) - 1, 23, nil},
		{"in the last block, all else well", len(raw) - 1, -1, broken},
	} {
		bad := bytes.Clone(raw)
		if c.flipped >= 0 {
			bad[payloadOf(t, raw, c.flipped)] ^= 1
		}
		_, _, err := nxs.VerifyFile(t.Context(), brokenFile{bytes.NewReader(bad), int64(c.broken), broken},
			int64(len(bad)), nxs.DefaultLimits(), verify)
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && refusal.Of(err) != refusal.DigestMismatch {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// A file that is replaced while it is verified is refused for what it is then.
func TestFileThatChangesSize(t *testing.T) {
	raw := large(t)
	size := int64(len(raw))
	for _, c := range []struct {
		name string
		file []byte
		want refusal.Reason
	}{
		{"shrinks", raw[:payloadOf(t, raw, 7)+10], refusal.Truncated},
		{"shrinks by its last byte", raw[:size-1], refusal.Truncated},
		{"grows", append(bytes.Clone(raw), 0), refusal.TrailingData},
	} {
		_, _, err := nxs.VerifyFile(t.Context(), bytes.NewReader(c.file), size, nxs.DefaultLimits(), verify)
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestVerifyFileEndsWithTheContext(t *testing.T) {
	raw := large(t)
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, _, err := nxs.VerifyFile(ctx, bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(),
		verify); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// A brokenFile cannot be read beyond an offset.
type brokenFile struct {
	io.ReaderAt
	from int64
	err  error
}

func (f brokenFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.from {
		return 0, f.err
	}
	n, err := f.ReaderAt.ReadAt(p[:min(int64(len(p)), f.from-off)], off)
	if n < len(p) && err == nil {
		err = f.err
	}
	return n, err
}
