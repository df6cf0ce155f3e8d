package trust_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// sshLine is the OpenSSH line of a public key.
func sshLine(t *testing.T, public any) string {
	t.Helper()
	k, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

func TestParsePublicKey(t *testing.T) {
	want := key(1).Public()
	line := sshLine(t, ed25519.PublicKey(want[:]))
	for _, text := range []string{want.String(), strings.ToUpper(want.String()), " " + want.String() + "\r\n", line, line + " who@where\n"} {
		got, err := trust.ParsePublicKey([]byte(text))
		if err != nil || got != want {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := key(1).Public().String()
	line := sshLine(t, ed25519.PublicKey(must(hex.DecodeString(good))))
	for name, text := range map[string]string{
		"nothing":                "",
		"one digit too few":      good[1:],
		"one byte too many":      good + "00",
		"not hex":                strings.Repeat("zz", 32),
		"two keys":               line + "\n" + line,
		"a comment, then a key":  "# was revoked:\n" + line,
		"junk, then a key":       "junk\n" + line,
		"a key, then junk":       line + "\njunk",
		"key with options":       `from="10.0.0.1" ` + line,
		"security key":           sk(good),
		"another kind":           sshLine(t, &other.PublicKey),
		"a private key":          "-----BEGIN OPENSSH PRIVATE KEY-----\n",
		"NUL":                    good + "\x00",
		"a key of zeros":         strings.Repeat("00", 32),
		"small order as OpenSSH": sshLine(t, ed25519.PublicKey(make([]byte, 32))),
	} {
		if _, err := trust.ParsePublicKey([]byte(text)); refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// sk is the OpenSSH line of a security key around an Ed25519 key.
func sk(hexKey string) string {
	const kind = "sk-ssh-ed25519@openssh.com"
	raw := ssh.Marshal(struct {
		Name, Key, Application string
	}{kind, string(must(hex.DecodeString(hexKey))), "ssh:"})
	return kind + " " + base64.StdEncoding.EncodeToString(raw)
}

// Every refused key of small order is one under which a signature can be made without a secret.
func TestKeysOfSmallOrderWouldTrustAnybody(t *testing.T) {
	for _, text := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		weak := trust.PublicKey(must(hex.DecodeString(text)))
		if !forged(weak) {
			t.Errorf("%s: no signature could be forged", text)
		}
		if _, err := trust.ParsePublicKey([]byte(text)); refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// forged tries R = the neutral point and S = 0, which passes for about every eighth message at least.
func forged(k trust.PublicKey) bool {
	signature := make([]byte, 64)
	signature[0] = 1
	for n := range uint32(256) {
		if k.Signed(binary.LittleEndian.AppendUint32(nil, n), signature) {
			return true
		}
	}
	return false
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestKeyID(t *testing.T) {
	id := trust.PublicKey{}.ID()
	if got := hex.EncodeToString(id[:]); got != "66687aadf862bd776c8fc18b8e9f8e20" { // SHA-256 of 32 zero bytes begins so
		t.Fatalf("got %s", got)
	}
}
