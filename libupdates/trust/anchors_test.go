package trust_test

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

func key(n byte) trust.Signer {
	return trust.NewSigner([32]byte(bytes.Repeat([]byte{n}, 32)))
}

func sign(t *testing.T, s trust.Signer, message []byte) []byte {
	t.Helper()
	signature, err := s.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func wantReason(t *testing.T, err error, want refusal.Reason) {
	t.Helper()
	if got := refusal.Of(err); got != want {
		t.Fatalf("got reason %q (%v), want %q", got, err, want)
	}
}

// The message of the tables below contains the public keys of 2 and 4 at aligned offsets, as an index contains its
// publisher's.
func messageOf() []byte {
	two, four := key(2).Public(), key(4).Public()
	return slices.Concat([]byte("16 bytes before."), two[:], []byte("8 after."), four[:], []byte("and the rest"))
}

func TestVerify(t *testing.T) {
	message := messageOf()
	anchors := trust.NewAnchors(
		trust.Anchor{Role: trust.RoleSystem, Key: key(1).Public()},
		trust.Anchor{Role: trust.RoleSystem, Key: key(3).Public()},
		trust.Anchor{Role: trust.RoleApps, Key: key(2).Public()},
	)
	good := sign(t, key(1), message)
	flip := func(bit int) []byte {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		return b
	}
	cases := []struct {
		name      string
		role      trust.Role
		signature []byte
		want      refusal.Reason
	}{
		{"first key", trust.RoleSystem, good, ""},
		{"second key", trust.RoleSystem, sign(t, key(3), message), ""},
		{"key of the other role", trust.RoleApps, sign(t, key(2), message), ""},
		{"none", trust.RoleSystem, nil, refusal.Unsigned},
		{"one byte", trust.RoleSystem, good[:1], refusal.BadSignatureLength},
		{"63 bytes", trust.RoleSystem, good[:63], refusal.BadSignatureLength},
		{"65 bytes", trust.RoleSystem, append(bytes.Clone(good), 0), refusal.BadSignatureLength},
		{"zeros", trust.RoleSystem, make([]byte, 64), refusal.InvalidSignature},
		{"flipped bit in R", trust.RoleSystem, flip(3), refusal.InvalidSignature},
		{"flipped bit in S", trust.RoleSystem, flip(300), refusal.InvalidSignature},
		{"S plus the group's order", trust.RoleSystem, nonCanonical(good), refusal.InvalidSignature},
		{"over another message", trust.RoleSystem, sign(t, key(1), message[1:]), refusal.InvalidSignature},
		{"trusted for the other role only", trust.RoleSystem, sign(t, key(2), message), refusal.UntrustedPublisher},
		{"role nobody has", "root", sign(t, key(2), message), refusal.UntrustedPublisher},
		{"stranger named in the message", trust.RoleSystem, sign(t, key(4), message), refusal.UntrustedPublisher},
		{"stranger not named in the message", trust.RoleSystem, sign(t, key(5), message), refusal.InvalidSignature},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := anchors.Verify(c.role, message, c.signature)
			wantReason(t, err, c.want)
			if err != nil && got != (trust.PublicKey{}) {
				t.Fatalf("a refusal came with key %s", got)
			}
			if err == nil && !got.Signed(message, c.signature) {
				t.Fatalf("got key %s, which did not sign", got)
			}
		})
	}
}

// nonCanonical adds the order of the group to S, which gives a second signature if S is not checked (RFC 8032, 5.1.7).
func nonCanonical(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989",
		10)
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return slices.Concat(signature[:32], sum)
}

// The place of a key in the message affects only the reason, never whether the message is refused. Far away or
// unaligned, the key is not found.
func TestVerifyLooksForStrangersNearTheStartOnly(t *testing.T) {
	stranger := key(9)
	public := stranger.Public()
	for _, c := range []struct {
		at   int
		want refusal.Reason
	}{
		{0, refusal.UntrustedPublisher}, {8, refusal.UntrustedPublisher}, {504, refusal.UntrustedPublisher},
		{4, refusal.InvalidSignature}, {512, refusal.InvalidSignature},
	} {
		message := slices.Concat(make([]byte, c.at), public[:])
		_, err := trust.NewAnchors().Verify(trust.RoleSystem, message, sign(t, stranger, message))
		wantReason(t, err, c.want)
	}
}

func TestAnchorsAreAValue(t *testing.T) {
	var none trust.Anchors
	one := none.Add(trust.RoleSystem, key(1).Public())
	two := one.Add(trust.RoleApps, key(1).Public()).Add(trust.RoleSystem, key(1).Public())
	if len(none.List()) != 0 || len(one.List()) != 1 || len(two.List()) != 2 {
		t.Fatalf("got %v, %v and %v", none.List(), one.List(), two.List())
	}
	if got := two.List()[0].Role; got != trust.RoleApps {
		t.Fatalf("the list begins with role %s", got)
	}
	room := two.Add(trust.RoleSystem, key(8).Public()) // sets that grew from one must not share its memory
	room.Add(trust.RoleApps, key(2).Public())
	room.Add(trust.RoleApps, key(3).Public())
	if got := room.List(); len(got) != 3 || got[0].Key != key(1).Public() || got[1].Key == got[2].Key {
		t.Fatalf("adding to a set changed it: %v", got)
	}
	list := two.List()
	list[0].Key = key(7).Public()
	if two.List()[0].Key != key(1).Public() {
		t.Fatal("a change of the list changed the set")
	}
	sorted := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: key(2).Public()},
		trust.Anchor{Role: trust.RoleSystem, Key: key(1).Public()})
	other := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: key(1).Public()},
		trust.Anchor{Role: trust.RoleSystem, Key: key(2).Public()})
	if !slices.Equal(sorted.List(), other.List()) {
		t.Fatal("the order of the list depends on the order of adding")
	}
}
