package trust_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// keySeeds returns keys of every kind, and texts that are almost keys.
func keySeeds(f *testing.F) {
	public, err := ssh.NewPublicKey(private(1).Public())
	if err != nil {
		f.Fatal(err)
	}
	line := ssh.MarshalAuthorizedKey(public)
	plain, err := ssh.MarshalPrivateKey(private(1), "release")
	if err != nil {
		f.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private(1), "release", []byte("open"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		nil, []byte("\n"), []byte(seedText(1)), []byte(seedText(1) + "\n"), []byte(seedText(1)[:62]), make([]byte, 32),
		[]byte(hex.EncodeToString(private(1).Public().(ed25519.PublicKey))),
		[]byte(hex.EncodeToString(make([]byte, 32))),
		line, append(line, line...), append([]byte("restrict "), line...), []byte("sk-" + string(line)),
		pem.EncodeToMemory(plain), pem.EncodeToMemory(locked),
		[]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
		[]byte(key(1).Public().Text()), []byte(trust.SeedText([32]byte{1}) + "\n"), []byte("nexus-ed25519-public:00"),
	} {
		f.Add(seed)
	}
	for _, name := range made(f) {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

// FuzzPublicKey: any text is refused as bad-key, or is a key that parses back from its printed form and under which not
// everyone can sign.
func FuzzPublicKey(f *testing.F) {
	keySeeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := trust.ParsePublicKey(text)
		if err != nil {
			wantReason(t, err, refusal.BadKey)
			return
		}
		if again, err := trust.ParsePublicKey([]byte(key.Text())); err != nil || again != key {
			t.Fatalf("%s reads back as %s, %v", key, again, err)
		}
		if forged(key) {
			t.Fatalf("anybody signs as %s", key)
		}
	})
}

// FuzzKeyFile: any file is refused as bad-key, or is a key that signs.
func FuzzKeyFile(f *testing.F) {
	keySeeds(f)
	f.Setenv("SSH_AUTH_SOCK", "")
	name := filepath.Join(f.TempDir(), "key")
	message := []byte("message")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		signer, err := trust.LoadSigner(name, trust.NoPassphrase)
		if err != nil {
			wantReason(t, err, refusal.BadKey)
			return
		}
		if _, err := trust.ParsePublicKey(text); refusal.Of(err) != refusal.BadKey {
			t.Fatalf("a private key is taken for a public one: %v", err)
		}
		signature, err := signer.Sign(message)
		if err != nil || !signer.Public().Signed(message, signature) {
			t.Fatalf("%s does not sign: %v", signer.Public(), err)
		}
	})
}
