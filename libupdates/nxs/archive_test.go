package nxs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// The set of most tests: two bundles with small payloads, the second one empty, signed by key 1.
func small() []updatestest.Made {
	key := updatestest.Key(1)
	return []updatestest.Made{
		updatestest.Bundle("alpha.app", "1.1.0", []string{"nexus.ability.Service"}, []byte("program of alpha"), key),
		updatestest.Bundle("beta", "2.0.0-rc.1", nil, nil, key),
	}
}

func smallIndex(t testing.TB) []byte {
	t.Helper()
	raw, err := updatestest.Index(updatestest.Key(1), "1.1.0", small()...).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func smallArchive(t testing.TB) []byte {
	return updatestest.Archive(t, updatestest.Key(1), "1.1.0", small()...)
}

// verify trusts key 1.
func verify(message, signature []byte) (trust.PublicKey, error) {
	anchors := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: updatestest.Key(1).Public()})
	return anchors.Verify(trust.RoleSystem, message, signature)
}

// contents is what was read from a set.
type contents struct {
	head     *nxs.Head
	bundles  []*nxs.Bundle
	payloads [][]byte
}

// readSet reads a set as a stream. If it is in memory, it is also read as a file, which must give the same result or
// the same error text.
func readSet(r io.Reader, size int64, limits nxs.Limits) (contents, error) {
	c, err := readStream(r, size, limits)
	file, ok := r.(*bytes.Reader)
	if !ok {
		return c, err
	}
	head, manifests, asFile := nxs.VerifyFile(context.Background(), file, size, limits, verify)
	switch {
	case fmt.Sprint(asFile) != fmt.Sprint(err) || refusal.Of(asFile) != refusal.Of(err):
		return c, fmt.Errorf("as a file: %v, as a stream: %v", asFile, err)
	case err == nil && (!reflect.DeepEqual(head, c.head) || len(manifests) != len(c.bundles)):
		return c, fmt.Errorf("as a file: %+v, as a stream: %+v", head, c.head)
	}
	return c, err
}

func readStream(r io.Reader, size int64, limits nxs.Limits) (contents, error) {
	var c contents
	in := nxs.NewReader(r, size, limits, verify)
	head, err := in.Open()
	if err != nil {
		return c, err
	}
	c.head = head
	for {
		b, err := in.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		payload, err := io.ReadAll(b.Payload)
		if err != nil {
			return c, err
		}
		c.bundles, c.payloads = append(c.bundles, b), append(c.payloads, payload)
	}
}

func read(raw []byte) (contents, error) {
	return readSet(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits())
}

func wantReason(t testing.TB, err error, want refusal.Reason) {
	t.Helper()
	if got := refusal.Of(err); got != want {
		t.Fatalf("got reason %q (%v), want %q", got, err, want)
	}
}

// An entry of a hand-made archive. header may change the header block before its checksum is computed.
type entry struct {
	name   string
	body   []byte
	header func(block []byte)
}

// pack makes an archive of any entries.
func pack(entries ...entry) []byte {
	var out []byte
	for _, e := range entries {
		out = append(out, e.block()...)
		out = append(out, e.body...)
		out = append(out, make([]byte, (512-len(e.body)%512)%512)...)
	}
	return append(out, make([]byte, 1024)...)
}

func (e entry) block() []byte {
	b := make([]byte, 512)
	copy(b, e.name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00", len(e.body)))
	b[156] = '0'
	copy(b[257:], "ustar\x0000")
	copy(b[329:], "0000000\x000000000\x00")
	if e.header != nil {
		e.header(b)
	}
	seal(b)
	return b
}

// seal corrects a header's checksum.
func seal(b []byte) {
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// entriesOf returns the entries of the small set with another index.
func entriesOf(t testing.TB, rawIndex []byte, bundles ...updatestest.Made) []entry {
	t.Helper()
	signature, err := updatestest.Key(1).Sign(rawIndex)
	if err != nil {
		t.Fatal(err)
	}
	entries := []entry{{name: "system.nxsindex", body: rawIndex}, {name: "system.sig.ed25519", body: signature}}
	for _, b := range bundles {
		folder := b.Entry.Name + ".nxb/"
		entries = append(entries, entry{name: folder + "manifest.nxb", body: b.Manifest},
			entry{name: folder + "payload.elf", body: b.Payload})
	}
	return entries
}

func smallEntries(t testing.TB) []entry { return entriesOf(t, smallIndex(t), small()...) }

// with returns the entries of the small set with one of them changed.
func with(t testing.TB, i int, change func(*entry)) []byte {
	entries := slices.Clone(smallEntries(t))
	change(&entries[i])
	return pack(entries...)
}

func dir(name string) entry {
	return entry{name: name, header: func(b []byte) { copy(b[100:], "0000755\x00"); b[156] = '5' }}
}
