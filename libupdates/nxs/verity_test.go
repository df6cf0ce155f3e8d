package nxs_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// made are bundles whose payloads have two parts, and one block.
var made = sync.OnceValue(func() []updatestest.Made {
	key, long := updatestest.Key(1), make([]byte, 4<<20+4097)
	rand.NewChaCha8([32]byte{1}).Read(long)
	return []updatestest.Made{
		updatestest.Bundle("long", "1.0.0", nil, long, key).Blocks(),
		updatestest.Bundle("short", "1.0.0", nil, []byte("a program"), key).Blocks(),
	}
})

// blocks returns them, to be changed.
func blocks() []updatestest.Made { return slices.Clone(made()) }

// archiveOf packs bundles after changing the entry of the first, as a packer would that is wrong about it.
func archiveOf(t *testing.T, made []updatestest.Made, change func(*nxs.Entry)) []byte {
	t.Helper()
	change(&made[0].Entry)
	return pack(entriesOf(t, mustEncode(t, updatestest.Index(updatestest.Key(1), "1.0.0", made...)), made...)...)
}

// byFile verifies a set in a file, where payloads are verified by blocks.
func byFile(raw []byte) error {
	limits := nxs.DefaultLimits()
	_, _, err := nxs.VerifyFile(context.Background(), bytes.NewReader(raw), int64(len(raw)), limits, verify)
	return err
}

func byStream(raw []byte) error {
	_, err := read(raw)
	return err
}

func TestVerifiedByBlocks(t *testing.T) {
	raw := archiveOf(t, blocks(), func(*nxs.Entry) {})
	for name, check := range map[string]func([]byte) error{"file": byFile, "stream": byStream} {
		if err := check(raw); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, at := range []int{0, 4096, 4<<20 + 4096} {
			damaged := bytes.Clone(raw)
			damaged[bytes.Index(raw, blocks()[0].Payload)+at] ^= 1
			wantReason(t, check(damaged), refusal.DigestMismatch)
		}
	}
}

// If the index has a digest of the blocks, readers go by that alone, of a stream as of a file.
func TestBlocksDecide(t *testing.T) {
	verity := archiveOf(t, blocks(), func(e *nxs.Entry) { e.PayloadVerity[0] ^= 1 })
	made := blocks()
	made[0] = made[0].Unbound() // else the manifest has the SHA-256, too
	whole := archiveOf(t, made, func(e *nxs.Entry) { e.PayloadSHA256[0] ^= 1 })
	for name, check := range map[string]func([]byte) error{"file": byFile, "stream": byStream} {
		if got := refusal.Of(check(verity)); got != refusal.DigestMismatch {
			t.Errorf("%s: got %q for other blocks", name, got)
		}
		if err := check(whole); err != nil {
			t.Errorf("%s: got %v for another SHA-256", name, err)
		}
	}
}

// The packer's side: what does not have both digests is not written.
func TestWriteChecksBothDigests(t *testing.T) {
	for name, change := range map[string]func(*nxs.Entry){
		"verity": func(e *nxs.Entry) { e.PayloadVerity[0] ^= 1 },
		"sha256": func(e *nxs.Entry) { e.PayloadSHA256[0] ^= 1 },
	} {
		made := blocks()
		change(&made[1].Entry)
		err := nxs.Write(io.Discard, smallHead(t), sources(made))
		if refusal.Of(err) != refusal.DigestMismatch {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A payload that a delta makes must have both digests.
func TestDeltaChecksBothDigests(t *testing.T) {
	for i, name := range []string{"held", "patched", "whole"} {
		for change, want := range map[byte]refusal.Reason{0: "", 1: refusal.DigestMismatch} {
			d := newDelta(t)
			for i := range d.bundles {
				d.bundles[i] = d.bundles[i].Blocks()
			}
			d.bundles[i].Entry.PayloadVerity[0] ^= change
			d.rawIndex = mustEncode(t, updatestest.Index(d.signer, "2.0.0", d.bundles...))
			d.signature, d.index.Set = sign(1, d.rawIndex), nxs.Sum(d.rawIndex)
			_, err := rebuilt(pack(d.entries(t)...), nxs.DefaultLimits(), holding(oldText, oldText[:100]))
			if refusal.Of(err) != want {
				t.Errorf("%s, changed by %d: got %v", name, change, err)
			}
		}
	}
}
