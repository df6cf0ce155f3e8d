package nxs_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

func sources(made []updatestest.Made) []nxs.Source {
	var s []nxs.Source
	for _, b := range made {
		s = append(s, nxs.Source{Entry: b.Entry, RawManifest: b.Manifest, Payload: bytes.NewReader(b.Payload)})
	}
	return s
}

func TestWriteIsDeterministic(t *testing.T) {
	first := smallArchive(t)
	made := small()
	slices.Reverse(made)
	if again := updatestest.Archive(t, updatestest.Key(1), "1.1.0", made...); !bytes.Equal(first, again) {
		t.Error("the order of the bundles shows in the archive")
	}
	if got := nxs.ArchiveSize(smallHead(t), sources(small())); got != int64(len(first)) {
		t.Errorf("ArchiveSize is %d, the archive has %d bytes", got, len(first))
	}
}

// An archive of its parts has the same bytes.
func TestParts(t *testing.T) {
	want := smallArchive(t)
	var names []string
	var contents [][]byte
	var sizes []int64
	add := func(name string, content []byte) {
		names, contents, sizes = append(names, name), append(contents, content), append(sizes, int64(len(content)))
	}
	found, err := inspect(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found.Head.Entries() {
		add(e.Name, e.Content)
	}
	for _, s := range sources(small()) {
		payload, err := io.ReadAll(s.Payload)
		if err != nil {
			t.Fatal(err)
		}
		add(s.Entry.Name+".nxb/manifest.nxb", s.RawManifest)
		add(s.Entry.Name+".nxb/payload.elf", payload)
	}
	parts, size, err := nxs.Parts(names, sizes)
	if err != nil || size != int64(len(want)) {
		t.Fatalf("got %d bytes, %v, want %d", size, err, len(want))
	}
	var got bytes.Buffer
	for _, p := range parts {
		if p.Bytes == nil {
			p.Bytes = contents[p.Entry]
		}
		if p.Size != int64(len(p.Bytes)) {
			t.Errorf("a part of %d bytes says %d", len(p.Bytes), p.Size)
		}
		got.Write(p.Bytes)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the archive has other bytes")
	}
	for _, size := range []int64{-1, nxs.MaxPolicy + 1} {
		if _, _, err := nxs.Parts([]string{"x"}, []int64{size}); refusal.Of(err) != refusal.PayloadTooLarge {
			t.Errorf("size %d: got %v", size, err)
		}
	}
	if _, _, err := nxs.Parts([]string{strings.Repeat("x", 100)}, []int64{1}); refusal.Of(err) != refusal.BadEntryName {
		t.Errorf("got %v", err)
	}
}

// A set that is written around its payloads has the same bytes, and the payloads are not touched.
func TestWriteAround(t *testing.T) {
	for _, raw := range [][]byte{smallArchive(t), updatestest.Archive(t, updatestest.Key(1), "1.1.0", odd()...)} {
		found, err := inspect(raw)
		if err != nil {
			t.Fatal(err)
		}
		var s []nxs.Source
		all := append(small(), odd()...)
		for i, e := range found.Index.Bundles {
			n := slices.IndexFunc(all, func(m updatestest.Made) bool {
				return reflect.DeepEqual(m.Entry,
					found.Index.Bundles[i])
			})
			s = append(s, nxs.Source{Entry: e, RawManifest: all[n].Manifest})
		}
		want := bytes.Clone(raw)
		got := &memory{b: bytes.Repeat([]byte{0xa5}, len(raw))}
		for i, at := range nxs.Places(&found.Head, s) {
			for k := range s[i].Entry.PayloadSize {
				want[at+k] = 0xa5
			}
		}
		if err := nxs.WriteAround(got, &found.Head, s); err != nil || !bytes.Equal(got.b, want) {
			t.Errorf("%v, or other bytes than Write's", err)
		}
	}
}

// odd returns bundles whose payloads fill less than a block, exactly one, and more.
func odd() []updatestest.Made {
	key := updatestest.Key(1)
	var made []updatestest.Made
	for i, size := range []int{0, 1, 511, 512, 513, 5000} {
		made = append(made, updatestest.Bundle("odd"+string(rune('a'+i)), "1.0.0", nil, make([]byte, size), key))
	}
	return made
}

// memory is a file in memory of fixed size.
type memory struct {
	b  []byte
	at int
}

func (m *memory) Write(p []byte) (int, error) {
	n := copy(m.b[m.at:], p)
	m.at += n
	return n, nil
}

func (m *memory) Seek(offset int64, _ int) (int64, error) {
	m.at += int(offset)
	return int64(m.at), nil
}

// A payload that changed after it was measured.
func TestWriteRefusesAChangedPayload(t *testing.T) {
	for payload, want := range map[string]refusal.Reason{
		"program of alpha":  "",
		"program of ALPHA":  refusal.DigestMismatch,
		"program of alph":   refusal.SizeMismatch,
		"program of alphas": refusal.SizeMismatch,
		"":                  refusal.SizeMismatch,
	} {
		s := sources(small())
		s[0].Payload = strings.NewReader(payload)
		err := nxs.Write(io.Discard, smallHead(t), s)
		if got := refusal.Of(err); got != want || err != nil &&
			!strings.Contains(err.Error(), "changed while it was packed") {
			t.Errorf("%q: got %v, want %q", payload, err, want)
		}
	}
}

func smallHead(t *testing.T) *nxs.Head {
	return &nxs.Head{Raw: smallIndex(t), Signature: make([]byte, 64)}
}

func TestWriteErrors(t *testing.T) {
	broken := errors.New("the disk is full")
	for n := 0; n < len(smallArchive(t)); n += 100 {
		err := nxs.Write(&shortWriter{n, broken}, smallHead(t), sources(small()))
		if !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: got %v", n, err)
		}
	}
	s := sources(small())
	s[0].Payload = iotest.ErrReader(broken)
	if err := nxs.Write(io.Discard, smallHead(t), s); !errors.Is(err, broken) {
		t.Fatalf("a payload that cannot be read: got %v", err)
	}
	s[0].Entry.Name = strings.Repeat("a", 100)
	if err := nxs.Write(io.Discard, smallHead(t), s); refusal.Of(err) != refusal.BadEntryName {
		t.Fatalf("a name that no header holds: got %v", err)
	}
}

// A header can hold sizes above the limit of any policy, but not all sizes; those must not be truncated to fit.
func TestWriteRefusesImpossibleSizes(t *testing.T) {
	for _, size := range []int64{-1, nxs.MaxPolicy + 1, 1 << 36, 1<<63 - 1} {
		s := sources(small())
		s[0].Entry.PayloadSize = size
		err := nxs.Write(io.Discard, smallHead(t), s)
		wantReason(t, err, refusal.PayloadTooLarge)
	}
}

// shortWriter fails after left bytes.
type shortWriter struct {
	left int
	err  error
}

func (w *shortWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		return w.left, w.err
	}
	w.left -= len(b)
	return len(b), nil
}
