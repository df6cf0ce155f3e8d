package trust_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

func messageIn(r io.ReaderAt, size int) trust.Message { return io.NewSectionReader(r, 0, int64(size)) }

func messageFrom(b []byte) trust.Message { return messageIn(bytes.NewReader(b), len(b)) }

// The vectors of RFC 8032, section 7.1, except the one of 1023 bytes; the random messages include such sizes.
func TestSignFromIsThatOfTheRFC(t *testing.T) {
	for _, v := range []struct{ seed, public, message, signature string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		},
		{
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		},
		{
			"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
			"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
		},
	} {
		s := trust.NewSigner([32]byte(must(hex.DecodeString(v.seed))))
		if got := s.Public().String(); got != v.public {
			t.Errorf("the public key is %s, not %s", got, v.public)
		}
		message := must(hex.DecodeString(v.message))
		got, err := s.SignFrom(messageFrom(message))
		if err != nil || hex.EncodeToString(got) != v.signature {
			t.Errorf("%q: got %x, %v, want %s", v.message, got, err, v.signature)
		}
		if ok, err := s.Public().SignedFrom(messageFrom(message), got); !ok || err != nil {
			t.Errorf("%q: its signature is refused, %v", v.message, err)
		}
	}
}

// For every key and message, streamed signatures are those of the standard library, byte for byte, and the same
// signatures are accepted.
func TestSignFromIsThatOfTheStandardLibrary(t *testing.T) {
	draw := rand.NewChaCha8([32]byte{8, 0, 3, 2})
	sizes := []int{0, 1, 63, 64, 127, 128, 1023, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20}
	for i := range 500 {
		var seed [32]byte
		draw.Read(seed[:])
		size := i
		if i < len(sizes) {
			size = sizes[i]
		}
		message := make([]byte, size)
		draw.Read(message)
		s := trust.NewSigner(seed)
		want := sign(t, s, message)
		got, err := s.SignFrom(messageFrom(message))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes by %x: got %x, %v, want %x", size, seed, got, err, want)
		}
		sameVerdict(t, s.Public(), message, want)
		bent := bytes.Clone(want)
		bit := int(draw.Uint64() % 512)
		bent[bit/8] ^= 1 << (bit % 8)
		sameVerdict(t, s.Public(), message, bent)
		sameVerdict(t, s.Public(), append(message, 0), want)
	}
}

// sameVerdict compares the streamed check with that of the standard library.
func sameVerdict(t *testing.T, key trust.PublicKey, message, signature []byte) {
	t.Helper()
	got, err := key.SignedFrom(messageFrom(message), signature)
	if want := key.Signed(message, signature); err != nil || got != want {
		t.Errorf("%x under %s: got %v, %v, want %v", signature, key, got, err, want)
	}
}

// Keys and signatures at the edges of the format: not canonical, of small order, not on the curve, or of another
// length.
func TestSignedFromAtTheEdges(t *testing.T) {
	message := []byte("message")
	good := sign(t, key(1), message)
	keys := []trust.PublicKey{key(1).Public(), {}, {1}, {2}, trust.PublicKey(bytes.Repeat([]byte{0xff}, 32))}
	for _, text := range []string{
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		keys = append(keys, trust.PublicKey(must(hex.DecodeString(text))))
	}
	neutral := append([]byte{1}, make([]byte, 63)...)
	for _, k := range keys {
		for _, signature := range [][]byte{good, nonCanonical(good), neutral, make([]byte, 64), nil, good[:63],
			append(bytes.Clone(good), 0)} {
			sameVerdict(t, k, message, signature)
			for n := range uint32(16) {
				sameVerdict(t, k, binary.LittleEndian.AppendUint32(nil, n), signature)
			}
		}
	}
}

// A turncoat is a message that differs when it is read again.
type turncoat struct{ reads int }

func (m *turncoat) ReadAt(p []byte, _ int64) (int, error) {
	m.reads++
	for i := range p {
		p[i] = byte(min(m.reads, 2))
	}
	return len(p), nil
}

func TestRejectMessageThatChangesWhileSigned(t *testing.T) {
	message := &turncoat{}
	got, err := key(1).SignFrom(messageIn(message, 100))
	wantReason(t, err, refusal.DigestMismatch)
	if got != nil || message.reads != 2 {
		t.Errorf("after %d reads %x leaves", message.reads, got)
	}
}

func TestRejectMessageThatEndsEarly(t *testing.T) {
	short := messageIn(bytes.NewReader(make([]byte, 99)), 100)
	_, err := key(1).SignFrom(short)
	wantReason(t, err, refusal.SizeMismatch)
	_, err = key(1).Public().SignedFrom(short, make([]byte, 64))
	wantReason(t, err, refusal.SizeMismatch)
	broken := errors.New("the disk is broken")
	if _, err := key(1).SignFrom(messageIn(failing{broken}, 100)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
