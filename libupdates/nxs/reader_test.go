package nxs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

func TestReadSet(t *testing.T) {
	raw := smallArchive(t)
	for name, r := range map[string]io.Reader{
		"at once":             bytes.NewReader(raw),
		"byte by byte":        iotest.OneByteReader(bytes.NewReader(raw)),
		"end with last bytes": iotest.DataErrReader(bytes.NewReader(raw)),
	} {
		got, err := readSet(r, int64(len(raw)), nxs.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x := got.head.Index
		if x.SystemVersion != "1.1.0" || x.Publisher != updatestest.Key(1).Public() || len(x.Bundles) != 2 {
			t.Errorf("%s: got index %+v", name, x)
		}
		if got.head.Digest != nxs.Sum(smallIndex(t)) || !bytes.Equal(got.head.Raw, smallIndex(t)) ||
			len(got.head.Signature) != 64 {
			t.Errorf("%s: got head %+v", name, got.head)
		}
		for i, want := range small() {
			b := got.bundles[i]
			if !reflect.DeepEqual(b.Entry, want.Entry) || b.Manifest.Name != want.Entry.Name ||
				!bytes.Equal(b.RawManifest, want.Manifest) || !bytes.Equal(got.payloads[i], want.Payload) {
				t.Errorf("%s: got bundle %+v", name, b)
			}
		}
	}
}

// The hand-made archive of these tests equals that of the writer. Otherwise refusing its variants would prove nothing.
func TestHandMadeArchiveIsTheWriters(t *testing.T) {
	if !bytes.Equal(pack(smallEntries(t)...), smallArchive(t)) {
		t.Fatal("they differ")
	}
}

func TestRejectUnsignedSystemSet(t *testing.T) {
	all := smallEntries(t)
	for name, raw := range map[string][]byte{
		"no signature entry":    pack(slices.Delete(slices.Clone(all), 1, 2)...),
		"nothing but the index": pack(all[0]),
		"signature at the end":  pack(append(slices.Delete(slices.Clone(all), 1, 2), all[1])...),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(raw)
			wantReason(t, err, refusal.Unsigned)
		})
	}
}

func TestRejectInvalidSignature(t *testing.T) {
	index := smallIndex(t)
	signedBy := func(n byte, message []byte) []byte {
		signature, err := updatestest.Key(n).Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	signature := func(b []byte) []byte { return with(t, 1, func(e *entry) { e.body = b }) }
	flipped := func(b []byte, bit int) []byte {
		b = bytes.Clone(b)
		b[bit/8] ^= 1 << (bit % 8)
		return b
	}
	for name, raw := range map[string][]byte{
		"zeros":                         signature(make([]byte, 64)),
		"another key's":                 signature(signedBy(9, index)),
		"over another message":          signature(signedBy(1, index[:len(index)-1])),
		"flipped bit in the signature":  signature(flipped(signedBy(1, index), 77)),
		"flipped bit in the index":      with(t, 0, func(e *entry) { e.body = flipped(index, 8*100) }),
		"flipped bit in index's header": with(t, 0, func(e *entry) { e.body = flipped(index, 0) }),
		"index of no bytes":             with(t, 0, func(e *entry) { e.body = nil }),
		"index that is no message":      with(t, 0, func(e *entry) { e.body = []byte("hello") }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(raw)
			wantReason(t, err, refusal.InvalidSignature)
		})
	}
	for n := range 130 {
		if n == nxs.SignatureSize {
			continue
		}
		_, err := read(signature(make([]byte, n)))
		wantReason(t, err, refusal.BadSignatureLength)
	}
}

func TestRejectUntrustedPublisher(t *testing.T) {
	raw := updatestest.Archive(t, updatestest.Key(2), "1.1.0", small()...)
	_, err := read(raw)
	wantReason(t, err, refusal.UntrustedPublisher)
}

// A trusted key signed an index that names another key as its publisher.
func TestRejectPublisherMismatch(t *testing.T) {
	x := updatestest.Index(updatestest.Key(2), "1.1.0", small()...)
	raw, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(updatestest.ArchiveOf(t, updatestest.Key(1), raw, small()...))
	wantReason(t, err, refusal.PublisherMismatch)
}

func TestRejectMismatchedDigest(t *testing.T) {
	for name, c := range map[string]struct {
		at   int
		text string
	}{
		"first manifest": {2, "digest mismatch in alpha.app/manifest.nxb"},
		"first payload":  {3, "digest mismatch in alpha.app/payload.elf"},
		"last manifest":  {4, "digest mismatch in beta/manifest.nxb"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(with(t, c.at, func(e *entry) {
				e.body = bytes.Clone(e.body)
				e.body[len(e.body)-1] ^= 1
			}))
			wantReason(t, err, refusal.DigestMismatch)
			if err.Error() != c.text {
				t.Errorf("got %q, want %q", err, c.text)
			}
		})
	}
}

func TestRejectOversizedArchive(t *testing.T) {
	raw := smallArchive(t)
	size := int64(len(raw))
	at := func(limit int64) error {
		_, err := readSet(bytes.NewReader(raw), size, nxs.Limits{Archive: limit, Payload: limit})
		return err
	}
	wantReason(t, at(size), "")
	wantReason(t, at(size-1), refusal.ArchiveTooLarge)

	// No policy exceeds the limit of the format, and nothing of a too large archive is read.
	untouched := iotest.ErrReader(errors.New("it was read"))
	_, err := readSet(untouched, nxs.MaxPolicy+1, nxs.Limits{Archive: 1 << 62, Payload: 1 << 62})
	wantReason(t, err, refusal.ArchiveTooLarge)
}

// The stream ends at any byte, whether or not the shorter size was announced.
func TestRejectTruncatedEverywhere(t *testing.T) {
	large := updatestest.Bundle("gamma", "1.0.0", nil, make([]byte, 1500), updatestest.Key(1))
	for name, bundles := range map[string][]updatestest.Made{
		"one bundle":                    small()[:1],
		"one bundle, empty payload":     small()[1:],
		"one bundle, payload of blocks": {large},
		"two bundles":                   small(),
	} {
		raw := updatestest.Archive(t, updatestest.Key(1), "1.1.0", bundles...)
		for n := range updatestest.Sweep(len(raw)) {
			for _, announced := range []int{n, len(raw)} {
				_, err := readSet(bytes.NewReader(raw[:n]), int64(announced), nxs.DefaultLimits())
				if refusal.Of(err) != refusal.Truncated {
					t.Fatalf("%s, %d bytes of %d announced: got %v", name, n, announced, err)
				}
			}
		}
	}
}

func TestRejectTrailingData(t *testing.T) {
	raw := smallArchive(t)
	for _, more := range []int{1, 511, 512, 10240, 1 << 20} {
		longer := append(bytes.Clone(raw), make([]byte, more)...)
		for _, announced := range []int{len(raw), len(longer)} {
			_, err := readSet(bytes.NewReader(longer), int64(announced), nxs.DefaultLimits())
			if refusal.Of(err) != refusal.TrailingData {
				t.Fatalf("%d bytes more, %d announced: got %v", more, announced, err)
			}
		}
	}
}

// No bit of an archive may change. One bit of each byte is tried in index and signature, and every bit elsewhere.
func TestRejectEveryFlippedBit(t *testing.T) {
	raw := smallArchive(t)
	signed := func(i int) bool { return i >= 512 && i < 2048 }
	for i := range updatestest.Sweep(len(raw)) {
		for bit := range 8 {
			if signed(i) && bit != i%8 {
				continue
			}
			raw[i] ^= 1 << bit
			_, err := read(raw)
			raw[i] ^= 1 << bit
			if r := refusal.Of(err); r == "" || r == refusal.IO {
				t.Fatalf("bit %d of byte %d: got %v", bit, i, err)
			}
		}
	}
}

// Until verify has returned, an index is only bytes: its content does not affect how it is refused, and nothing after
// the signature has been read.
func TestNothingIsInterpretedBeforeTheSignature(t *testing.T) {
	unimpressed := errors.New("not signed by anybody I know")
	for _, c := range hostileIndexes(t) {
		raw := pack(entriesOf(t, c.raw, small()...)...)
		var seen []byte
		stream := &counter{r: bytes.NewReader(raw)}
		in := nxs.NewReader(stream, int64(len(raw)), nxs.DefaultLimits(),
			func(message, signature []byte) (trust.PublicKey, error) {
				seen = bytes.Clone(message)
				return trust.PublicKey{}, unimpressed
			})
		head, err := in.Open()
		if head != nil || !errors.Is(err, unimpressed) {
			t.Errorf("%s: got %v, %v", c.name, head, err)
		}
		if !bytes.Equal(seen, c.raw) {
			t.Errorf("%s: verify saw other bytes than those in the archive", c.name)
		}
		if most := int64(512 + (len(c.raw)+511)/512*512 + 1024); stream.n > most || in.Offset() != stream.n {
			t.Errorf("%s: %d bytes were read, Offset says %d, index and signature end at %d", c.name, stream.n,
				in.Offset(), most)
		}
		if b, err := in.Next(); b != nil || !errors.Is(err, unimpressed) {
			t.Errorf("%s: after the refusal Next returned %v, %v", c.name, b, err)
		}
	}
}

// An archive that begins with something else is not searched for its index, because nothing in it is verified.
func TestUnverifiedArchiveIsNotSearched(t *testing.T) {
	all := smallEntries(t)
	long := entry{name: "alpha.app.nxb/payload.elf", body: make([]byte, 1<<20)}
	for _, c := range []struct {
		name   string
		raw    []byte
		want   refusal.Reason
		blocks int64 // read before the refusal
	}{
		{"another entry", pack(long, all[0], all[1]), refusal.MissingEntry, 1},
		{"signature, another entry", pack(all[1], long, all[0]), refusal.MissingEntry, 3},
		{"signature, index", pack(all[1], all[0], long), refusal.MisorderedEntry, 3},
		{"signature that is huge", pack(entry{name: "system.sig.ed25519", body: long.body}, all[0]),
			refusal.MissingEntry, 1},
		{"signature alone", pack(all[1]), refusal.MissingEntry, 3},
	} {
		stream := &counter{r: bytes.NewReader(c.raw)}
		_, err := readSet(stream, int64(len(c.raw)), nxs.DefaultLimits())
		wantReason(t, err, c.want)
		if stream.n != c.blocks*512 {
			t.Errorf("%s: %d bytes were read, want %d", c.name, stream.n, c.blocks*512)
		}
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// Of two faults, the earlier one is the reason.
func TestOrderOfChecks(t *testing.T) {
	bad := []byte("no message")
	strange, err := updatestest.Key(2).Sign(bad)
	if err != nil {
		t.Fatal(err)
	}
	entries := entriesOf(t, bad, small()...)
	entries[1].body = strange
	_, err = read(pack(entries...))
	wantReason(t, err, refusal.InvalidSignature) // before bad-index

	_, err = read(append(pack(entriesOf(t, bad, small()...)...), 0))
	wantReason(t, err, refusal.BadIndex) // before trailing-data

	raw := updatestest.Archive(t, updatestest.Key(2), "not a version", small()...)
	_, err = read(raw)
	wantReason(t, err, refusal.UntrustedPublisher) // before bad-version

	_, err = readSet(bytes.NewReader(raw), int64(len(raw)), nxs.Limits{Archive: 1})
	wantReason(t, err, refusal.ArchiveTooLarge) // before anything
}

func TestReaderOutOfOrder(t *testing.T) {
	raw := smallArchive(t)
	in := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
	if _, err := in.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("Next before Open: %v", err)
	}
	if _, err := in.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Open(); err == nil {
		t.Fatal("Open a second time passed")
	}
}

// Next verifies payloads that were not read, or not to their end.
func TestUnreadPayloadsAreChecked(t *testing.T) {
	good := smallArchive(t)
	bad := with(t, 3, func(e *entry) { e.body = []byte("program of ALPHA") })
	for _, n := range []int64{0, 1, 15, 16} {
		for raw, want := range map[string]refusal.Reason{string(good): "", string(bad): refusal.DigestMismatch} {
			in := nxs.NewReader(bytes.NewReader([]byte(raw)), int64(len(raw)), nxs.DefaultLimits(), verify)
			if _, err := in.Open(); err != nil {
				t.Fatal(err)
			}
			b, err := in.Next()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, b.Payload, n); err != nil {
				t.Fatal(err)
			}
			_, err = in.Next()
			wantReason(t, err, want)
			if _, again := in.Next(); want != "" && !errors.Is(again, err) {
				t.Fatalf("an error is final, got %v after %v", again, err)
			}
			if n, err := b.Payload.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Fatalf("the payload can be read after Next: %d, %v", n, err)
			}
		}
	}
}

// A stream that fails is not a refusal of its content.
func TestStreamErrors(t *testing.T) {
	raw := smallArchive(t)
	broken := errors.New("the wire is cut")
	for _, n := range []int{0, 100, 512, 600, 2048, 2600, 3100, len(raw) - 1, len(raw)} {
		r := io.MultiReader(bytes.NewReader(raw[:n]), iotest.ErrReader(broken))
		_, err := readSet(r, int64(len(raw)), nxs.DefaultLimits())
		if !errors.Is(err, broken) || refusal.Of(err) != refusal.IO {
			t.Errorf("after %d bytes: got %v", n, err)
		}
	}
}

func ExampleReader() {
	t := &testingT{}
	raw := updatestest.Archive(t, updatestest.Key(1), "1.1.0", small()...)
	in := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
	head, err := in.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("set", head.Index.SystemVersion)
	for {
		b, err := in.Next()
		if err != nil {
			fmt.Println(err == io.EOF)
			return
		}
		n, err := io.Copy(io.Discard, b.Payload)
		fmt.Println(b.Name, b.Version, n, err)
	}
	// Output:
	// set 1.1.0
	// alpha.app 1.1.0 16 <nil>
	// beta 2.0.0-rc.1 0 <nil>
	// true
}

// testingT allows an example to use the fixtures.
type testingT struct{ testing.TB }

func (*testingT) Helper() {}

func (*testingT) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
