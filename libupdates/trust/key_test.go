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

// sshLine returns the OpenSSH line of a public key.
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
	named := want.Text()
	for _, text := range []string{named, " " + named +
		"\r\n", strings.Replace(named, want.String(), strings.ToUpper(want.String()), 1), line, line + " who@where\n"} {
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
	good, named := key(1).Public().String(), key(1).Public().Text()
	line := sshLine(t, ed25519.PublicKey(must(hex.DecodeString(good))))
	for name, text := range map[string]string{
		"nothing":                "",
		"bare hex":               good,
		"a seed":                 trust.SeedText([32]byte{1}),
		"another word":           "nexus-ed25519-key:" + good,
		"no digits":              "nexus-ed25519-public:",
		"two words":              "nexus-ed25519-public:nexus-ed25519-public:" + good,
		"one digit too few":      named[:len(named)-1],
		"one byte too many":      named + "00",
		"not hex":                "nexus-ed25519-public:" + strings.Repeat("zz", 32),
		"no point of the curve":  "nexus-ed25519-public:02" + strings.Repeat("00", 31),
		"two keys":               line + "\n" + line,
		"a comment, then a key":  "# was revoked:\n" + line,
		"junk, then a key":       "junk\n" + line,
		"a key, then junk":       line + "\njunk",
		"key with options":       `from="10.0.0.1" ` + line,
		"security key":           sk(good),
		"another kind":           sshLine(t, &other.PublicKey),
		"a private key":          "-----BEGIN OPENSSH PRIVATE KEY-----\n",
		"NUL":                    named + "\x00",
		"a key of zeros":         "nexus-ed25519-public:" + strings.Repeat("00", 32),
		"small order as OpenSSH": sshLine(t, ed25519.PublicKey(make([]byte, 32))),
	} {
		if _, err := trust.ParsePublicKey([]byte(text)); refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// sk returns the OpenSSH line of a security key with an Ed25519 key.
func sk(hexKey string) string {
	const kind = "sk-ssh-ed25519@openssh.com"
	raw := ssh.Marshal(struct {
		Name, Key, Application string
	}{kind, string(must(hex.DecodeString(hexKey))), "ssh:"})
	return kind + " " + base64.StdEncoding.EncodeToString(raw)
}

// Under every refused key of small order, a signature can be made without a secret.
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
		if _, err := trust.ParsePublicKey([]byte(weak.Text())); refusal.Of(err) != refusal.BadKey ||
			!strings.Contains(err.Error(), "small order") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// forged tries R = the neutral point and S = 0, which is valid for at least about every eighth message.
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
	// the SHA-256 of 32 zero bytes begins with this
	if got := hex.EncodeToString(id[:]); got != "66687aadf862bd776c8fc18b8e9f8e20" {
		t.Fatalf("got %s", got)
	}
}
