package slots_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"sync"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

const service = "nexus.ability.Service"

// archive returns a set of two bundles: the payload of the first depends on the version, that of the second does not.
// The index has the fs-verity digest of the first payload alone.
func archive(t testing.TB, version string) []byte {
	return updatestest.Archive(t, updatestest.Key(1), version, bundles(version)...)
}

func bundles(version string) []updatestest.Made {
	key := updatestest.Key(1)
	return []updatestest.Made{updatestest.Bundle("alpha.app", version, []string{service}, payload(version), key).Blocks(),
		updatestest.Bundle("beta", "1.0.0", nil, []byte(data), key)}
}

// delta returns a delta between two of these sets: it has a patch on the first payload, and nothing of the second.
func delta(t testing.TB, from, to string) []byte {
	return updatestest.Delta(t, updatestest.Key(1), to, bundles(from), bundles(to))
}

const data = "data of all versions"

func payload(version string) []byte {
	return append([]byte("program of version "+version), strings.Repeat(" that has more in common with others", 9)...)
}

var signer = updatestest.Key(1).Public()

// valid has what verify found so far, by message and signature: the sweeps verify the same few sets many thousand
// times.
var valid sync.Map

// verify accepts signatures of key 1.
func verify(message, signature []byte) (trust.PublicKey, error) {
	signed := string(message) + string(signature)
	is, known := valid.Load(signed)
	if !known {
		is = ed25519.Verify(signer[:], message, signature)
		valid.Store(signed, is)
	}
	if !is.(bool) {
		return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return signer, nil
}

func reader(raw []byte) *nxs.Reader {
	return nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
}

// stageFile stages an archive from a file.
func stageFile(s *slots.Store, slot bootctl.Slot, raw []byte) (slots.Content, error) {
	return s.StageFile(context.Background(), slot, bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify,
		slots.StageOptions{})
}

// stage stages without options.
func stage(s *slots.Store, slot bootctl.Slot, raw []byte) (slots.Content, error) {
	return s.Stage(context.Background(), slot, reader(raw), slots.StageOptions{})
}

func open(t testing.TB, fs durable.FS) *slots.Store {
	t.Helper()
	s, err := slots.Open(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustStage(t testing.TB, s *slots.Store, slot bootctl.Slot, raw []byte) slots.Content {
	t.Helper()
	content, err := stage(s, slot, raw)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// wantSlot checks that the slot verifies and holds the set of that version; the empty version means an empty slot.
func wantSlot(t testing.TB, s *slots.Store, slot bootctl.Slot, version string) {
	t.Helper()
	if got := verified(t, s, slot); got != version {
		t.Fatalf("slot %s holds %q, want %q", slot, got, version)
	}
}

func verified(t testing.TB, s *slots.Store, slot bootctl.Slot) string {
	t.Helper()
	if err := s.Verify(slot, held(s, slot), verify); err != nil {
		t.Fatal(err)
	}
	content, err := s.Content(slot)
	if err != nil {
		t.Fatal(err)
	}
	return content.Version
}

func wantReason(t testing.TB, err error, want refusal.Reason) {
	t.Helper()
	if got := refusal.Of(err); got != want {
		t.Fatalf("got reason %q (%v), want %q", got, err, want)
	}
}

// held returns the set that a slot leads to.
func held(s *slots.Store, slot bootctl.Slot) nxs.Digest {
	content, _ := s.Content(slot) // has the digest also where the set is damaged
	return content.Digest
}
