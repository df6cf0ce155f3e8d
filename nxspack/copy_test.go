package nxspack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// bundles makes a folder with one bundle per payload.
func bundles(t *testing.T, payloads ...[]byte) (folder string, key trust.Signer) {
	t.Helper()
	folder, key = t.TempDir(), trust.NewSigner([32]byte{1})
	for i, payload := range payloads {
		name := fmt.Sprintf("b%02d", i)
		m, err := manifestToml{Name: name, Version: "1.0.0"}.sign(contentOf(payload), key)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := makeBundle(filepath.Join(folder, name+nxb.Suffix), raw, bytes.NewReader(payload)); err != nil {
			t.Fatal(err)
		}
	}
	return folder, key
}

func prepare(t *testing.T, folder string, key trust.Signer) *preparedSet {
	t.Helper()
	found, err := readFolders(folder, anyDevice())
	if err != nil {
		t.Fatal(err)
	}
	set, err := newPreparedSet(setMeta{SystemVersion: "1.0.0"}, found, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.close)
	return set
}

// ends are payloads that begin and end at all positions relative to blocks and buffers.
func ends() [][]byte {
	var all [][]byte
	for i, size := range []int{0, 1, 511, 512, 513, 4095, 4096, 4097, 70_000, 1 << 20, 1<<20 +
		1, 3<<20 - 700, 5 << 20} {
		all = append(all, bytes.Repeat(fmt.Appendf(nil, "payload %d of %d;", i, size), size/10+1)[:size])
	}
	return all
}

// Written in parallel, directly or through the cache, the set equals that of the simple writer.
func TestEveryWayWritesTheSameBytes(t *testing.T) {
	folder, key := bundles(t, ends()...)
	set := prepare(t, folder, key)
	target := filepath.Join(t.TempDir(), "set.nxs")
	if err := publishFile(target, func(f *os.File) error { return set.write(t.Context(), f) }); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	sources := set.sources()
	for i, payload := range ends() {
		sources[i].Payload = bytes.NewReader(payload)
	}
	signature, err := key.Sign(set.rawIndex)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := nxs.Write(&want, set.head(signature), sources); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("they differ")
	}
}

// For any p and off, with or without direct I/O, the bytes are written to their place and nowhere else.
func TestOutputWritesEverywhere(t *testing.T) {
	const size = 5 * digest.BlockSize
	for _, direct := range []bool{true, false} {
		for _, off := range []int64{0, 1, 512, 4095, 4096, 5000} {
			for _, n := range []int64{0, 1, 511, 4096, 4097, 8192, 12000} {
				for _, shift := range []int64{0, 7} { // memory that lies as the file does, and otherwise
					f, err := os.CreateTemp(t.TempDir(), "")
					if err != nil {
						t.Fatal(err)
					}
					out, err := newOutput(f, size)
					if err != nil {
						t.Fatal(err)
					}
					if !direct {
						out.Close()
						out.direct = nil
					}
					p := bytes.Repeat([]byte{'x'}, size+2*digest.BlockSize)[off+shift:][:n]
					if got, err := out.WriteAt(p, off); err != nil || int64(got) != n {
						t.Errorf("%d bytes at %d: got %d, %v", n, off, got, err)
					}
					want := make([]byte, size)
					copy(want[off:], p)
					all, err := os.ReadFile(f.Name())
					if err != nil || !bytes.Equal(all[:size], want) {
						t.Errorf("%d bytes at %d, direct %v: others were written; %v", n, off, direct, err)
					}
					errors.Join(out.Close(), f.Close())
				}
			}
		}
	}
}

// A file that changes at any moment while it is read is refused, and the first such bundle is reported.
func TestRejectPayloadThatChangesWhileRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(name string) error
		want   refusal.Reason
	}{
		"grows":   {func(name string) error { return appendTo(name, "more") }, refusal.SizeMismatch},
		"shrinks": {func(name string) error { return os.Truncate(name, 100) }, refusal.SizeMismatch},
		"emptied": {func(name string) error { return os.Truncate(name, 0) }, refusal.SizeMismatch},
		"other bytes": {func(name string) error {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte{'X'}, 3<<20)
				err = errors.Join(err, f.Close())
			}
			return err
		}, refusal.DigestMismatch},
	} {
		folder, key := bundles(t, make([]byte, 4<<20), make([]byte, 5<<20), make([]byte, 4<<20), make([]byte, 5<<20))
		set := prepare(t, folder, key)
		out := filepath.Join(t.TempDir(), "out")
		f, err := os.Create(out)
		if err != nil {
			t.Fatal(err)
		}
		output, err := newOutput(f, set.size())
		if err != nil {
			t.Fatal(err)
		}
		var streams []digest.Stream
		for i, at := range nxs.Places(set.head(noSignature()), set.sources()) {
			b := &set.bundles[i]
			s := b.stream(output, at)
			if i > 0 { // the second and all after it
				read := s.Read
				s.Read = func(p []byte, off int64) error {
					if off == 0 {
						if err := c.change(filepath.Join(b.path, nxb.PayloadFile)); err != nil {
							return err
						}
					}
					return read(p, off)
				}
			}
			streams = append(streams, s)
		}
		err = digest.Run(t.Context(), streams)
		if got := refusal.Of(err); got != c.want ||
			!strings.HasPrefix(err.Error(), "cannot pack "+set.bundles[1].path+": ") {
			t.Errorf("%s: got %v, want %q for the second bundle", name, err, c.want)
		}
		errors.Join(output.Close(), f.Close())
	}
}

// An unreadable payload is reported with its bundle, and the target is unchanged.
func TestUnreadablePayload(t *testing.T) {
	folder, key := bundles(t, []byte("a"), []byte("b"))
	set := prepare(t, folder, key)
	set.bundles[1].payload.file.Close()
	target := filepath.Join(t.TempDir(), "set.nxs")
	err := publishFile(target, func(f *os.File) error { return set.write(t.Context(), f) })
	if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), set.bundles[1].path) {
		t.Errorf("got %v", err)
	}
	if left := names(t, filepath.Dir(target)); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}
