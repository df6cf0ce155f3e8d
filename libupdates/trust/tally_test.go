package trust_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

func keysOf(numbers ...byte) (keys []trust.PublicKey) {
	for _, n := range numbers {
		keys = append(keys, key(n).Public())
	}
	return keys
}

// by is the signature of key n, under its own name.
func by(t testing.TB, n byte, message []byte) trust.Signature {
	t.Helper()
	return named(t, n, n, message)
}

// named is the signature of key n under the name of key as.
func named(t testing.TB, n, as byte, message []byte) trust.Signature {
	t.Helper()
	raw, err := key(n).Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return trust.Signature{Key: key(as).Public(), Bytes: [ed25519.SignatureSize]byte(raw)}
}

func TestMeet(t *testing.T) {
	message := []byte("message")
	one, two, three := by(t, 1, message), by(t, 2, message), by(t, 3, message)
	bent := one
	bent.Bytes[40] ^= 1
	loose := trust.Signature{Key: one.Key, Bytes: [64]byte(nonCanonical(one.Bytes[:]))}
	list := func(s ...trust.Signature) []trust.Signature { return s }
	cases := []struct {
		name      string
		need      int
		keys      []trust.PublicKey
		anonymous []byte
		named     []trust.Signature
		met       bool
	}{
		{"one of one", 1, keysOf(1), nil, list(one), true},
		{"one of one, without a name", 1, keysOf(1), one.Bytes[:], nil, true},
		{"two of three", 2, keysOf(1, 2, 3), nil, list(three, one), true},
		{"two of three, one without a name", 2, keysOf(1, 2, 3), two.Bytes[:], list(one), true},
		{"all of three", 3, keysOf(1, 2, 3), nil, list(one, two, three), true},
		{"a stranger beside enough", 1, keysOf(1), nil, list(by(t, 9, message), one), true},
		{"an invalid one beside enough", 1, keysOf(1, 2), nil, list(bent, two), true},
		{"a valid one behind an invalid one", 1, keysOf(1), nil, list(bent, one), true},

		{"nobody", 1, keysOf(1), nil, nil, false},
		{"one of two", 2, keysOf(1, 2), nil, list(one), false},
		{"the same signature twice", 2, keysOf(1, 2), nil, list(one, one), false},
		{"the same signature with and without a name", 2, keysOf(1, 2), one.Bytes[:], list(one), false},
		{"the same signature under two names", 2, keysOf(1, 2), nil, list(one, named(t, 1, 2, message)), false},
		{"the same key twice in the threshold", 2, keysOf(1, 1), nil, list(one), false},
		{"two forms of one signature", 2, keysOf(1, 2), nil, list(one, loose), false},
		{"a form that is not canonical", 1, keysOf(1), nil, list(loose), false},
		{"a stranger", 1, keysOf(1), nil, list(by(t, 9, message)), false},
		{"a stranger under a good name", 1, keysOf(1), nil, list(named(t, 9, 1, message)), false},
		{"over something else", 1, keysOf(1), nil, list(by(t, 1, []byte("massage"))), false},
		{"a threshold of 0", 0, keysOf(1), nil, list(one), false},
		{"a threshold of 0 and no key", 0, nil, nil, list(one), false},
		{"a negative threshold", -1, keysOf(1), nil, list(one), false},
		{"a threshold above the number of keys", 2, keysOf(1), nil, list(one, two), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tally := trust.NewTally(message, c.anonymous, c.named)
			for range 2 { // what is known from the first time changes nothing
				signers, err := tally.Meet(trust.Threshold{Need: c.need, Keys: c.keys})
				if c.met {
					wantReason(t, err, "")
				} else {
					wantReason(t, err, refusal.ThresholdNotMet)
				}
				if distinct := slices.Compact(slices.Clone(signers)); c.met && len(distinct) != c.need || !c.met &&
					signers != nil {
					t.Fatalf("signers are %v", signers)
				}
			}
		})
	}
}

// The key of the signature without a name counts once, also where it was asked for before.
func TestPublisherCountsOnce(t *testing.T) {
	message := []byte("message")
	one := by(t, 1, message)
	tally := trust.NewTally(message, one.Bytes[:], []trust.Signature{one})
	publisher, err := tally.Publisher(trust.RoleSystem, keysOf(2, 1))
	if err != nil || publisher != key(1).Public() {
		t.Fatalf("got %s, %v", publisher, err)
	}
	if _, err := tally.Meet(trust.Threshold{Need: 1, Keys: keysOf(1, 2)}); err != nil {
		t.Fatal(err)
	}
	_, err = tally.Meet(trust.Threshold{Need: 2, Keys: keysOf(1, 2)})
	wantReason(t, err, refusal.ThresholdNotMet)
}

func TestParseSignatures(t *testing.T) {
	message := []byte("message")
	many := func(n int) []byte {
		raw := make([]byte, 0, n*trust.SignatureSize)
		for i := range n {
			entry := make([]byte, trust.SignatureSize)
			entry[0], entry[1], entry[2] = byte(i>>16), byte(i>>8), byte(i)
			raw = append(raw, entry...)
		}
		return raw
	}
	good := trust.EncodeSignatures([]trust.Signature{by(t, 1, message), by(t, 2, message), by(t, 3, message)})
	twice := slices.Concat(good[:96], good[:96])
	swapped := slices.Concat(good[96:192], good[:96])
	cases := []struct {
		name string
		raw  []byte
		n    int
		want refusal.Reason
	}{
		{"none", nil, 0, ""},
		{"three", good, 3, ""},
		{"the most", many(64), 64, ""},
		{"one too many", many(65), 0, refusal.TooManySignatures},
		{"a million", many(1e6), 0, refusal.TooManySignatures},
		{"a byte short", good[:95], 0, refusal.BadSignatures},
		{"a byte long", append(bytes.Clone(good), 0), 0, refusal.BadSignatures},
		{"a bare signature", good[32:96], 0, refusal.BadSignatures},
		{"a key twice", twice, 0, refusal.BadSignatures},
		{"not in order", swapped, 0, refusal.BadSignatures},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			list, err := trust.ParseSignatures(c.raw)
			wantReason(t, err, c.want)
			if len(list) != c.n {
				t.Fatalf("got %d signatures, want %d", len(list), c.n)
			}
			if err == nil && !bytes.Equal(trust.EncodeSignatures(list), c.raw) {
				t.Fatal("the list does not encode as it was")
			}
		})
	}
}

// A list is the same in whatever order its signatures were collected.
func TestEncodeSignaturesSorts(t *testing.T) {
	message := []byte("message")
	one, two := by(t, 1, message), by(t, 2, message)
	unsorted := []trust.Signature{one, two}
	if bytes.Compare(one.Key[:], two.Key[:]) < 0 {
		unsorted = []trust.Signature{two, one}
	}
	first := unsorted[0]
	if _, err := trust.ParseSignatures(trust.EncodeSignatures(unsorted)); err != nil {
		t.Fatal(err)
	}
	if unsorted[0] != first {
		t.Fatal("encoding changed the list")
	}
}

// The points with two encodings count in the canonical one only. Nobody knows a private key for one that is not of
// small order as well; the rule does not depend on that.
func TestUsable(t *testing.T) {
	for text, want := range map[string]refusal.Reason{
		key(1).Public().String(): "",
		"0400000000000000000000000000000000000000000000000000000000000000": "",             // y = 4
		"f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": refusal.BadKey, // y = p + 4, the same point
		"0200000000000000000000000000000000000000000000000000000000000000": refusal.BadKey, // not on the curve
		"0100000000000000000000000000000000000000000000000000000000000000": refusal.BadKey, // the neutral element
		"0000000000000000000000000000000000000000000000000000000000000000": refusal.BadKey, // order 4
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa": refusal.BadKey, // order 8
	} {
		raw := must(hex.DecodeString(text))
		wantReason(t, trust.PublicKey(raw).Usable(), want)
	}
}

// FuzzSignatures: any list is refused, or encodes to the very bytes it was parsed from.
func FuzzSignatures(f *testing.F) {
	message := []byte("message")
	f.Add([]byte(nil))
	f.Add(trust.EncodeSignatures([]trust.Signature{by(f, 1, message), by(f, 2, message)}))
	f.Add(make([]byte, 96*65))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := trust.ParseSignatures(raw)
		if err != nil {
			if reason := refusal.Of(err); reason != refusal.BadSignatures && reason != refusal.TooManySignatures {
				t.Fatalf("refused as %q: %v", reason, err)
			}
			return
		}
		if !bytes.Equal(trust.EncodeSignatures(list), raw) {
			t.Fatalf("%x encodes as another list", raw)
		}
		signers, err := trust.NewTally(message, nil, list).Meet(trust.Threshold{Need: 2, Keys: keysOf(1, 2)})
		if err == nil && (len(signers) != 2 || signers[0] == signers[1]) {
			t.Fatalf("the signers are %v", signers)
		}
	})
}

// FuzzProof: whatever is in the place of a set's signatures is a signature and a list, which are these very bytes, or
// is refused, or is one signature of a wrong length.
func FuzzProof(f *testing.F) {
	message := []byte("message")
	one := by(f, 1, message)
	f.Add([]byte(nil))
	f.Add(one.Bytes[:])
	f.Add(one.Bytes[:63])
	f.Add(slices.Concat(one.Bytes[:], trust.EncodeSignatures([]trust.Signature{by(f, 2, message), by(f, 3, message)})))
	f.Add(make([]byte, 64+65*trust.SignatureSize))
	f.Fuzz(func(t *testing.T, proof []byte) {
		signature, more, err := trust.SplitProof(proof)
		if err != nil {
			if reason := refusal.Of(err); reason != refusal.BadSignatures && reason != refusal.TooManySignatures {
				t.Fatalf("refused as %q: %v", reason, err)
			}
			return
		}
		if !bytes.Equal(slices.Concat(signature, trust.EncodeSignatures(more)), proof) {
			t.Fatalf("%x and %d signatures are other bytes", signature, len(more))
		}
		tally := trust.NewTally(message, signature, more)
		publisher, err := tally.Publisher(trust.RoleSystem, keysOf(1, 2))
		if err == nil && !publisher.Signed(message, proof[:64]) {
			t.Fatalf("%s did not sign", publisher)
		}
		if signers, err := tally.Meet(trust.Threshold{Need: 2, Keys: keysOf(1, 2)}); err == nil &&
			(len(signers) != 2 || signers[0] == signers[1]) {
			t.Fatalf("the signers are %v", signers)
		}
	})
}
