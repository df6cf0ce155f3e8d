package trust_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// made are key files that were made by other programs.
func made(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/keys/*.*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no keys: %v", err)
	}
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// unasked is a Passphrase that must not be called.
func unasked(t *testing.T) trust.Passphrase {
	return func() ([]byte, error) {
		t.Error("a passphrase is asked for")
		return nil, errors.New("there is none")
	}
}

func saying(passphrase string) trust.Passphrase {
	return func() ([]byte, error) { return []byte(passphrase), nil }
}

func TestKeysOfOpenSSL(t *testing.T) {
	const keys = "testdata/keys/openssl."
	want, err := trust.ReadPublicKey(keys + "spki.pem")
	if err != nil {
		t.Fatal(err)
	}
	if der, err := trust.ReadPublicKey(keys + "spki.der"); err != nil || der != want {
		t.Errorf("SPKI as DER: got %s, %v", der, err)
	}
	for _, form := range []string{"pkcs8.pem", "pkcs8.der", "text.pem"} {
		s, err := trust.LoadSigner(keys+form, unasked(t))
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if message := []byte("message"); s.Public() != want || !want.Signed(message, sign(t, s, message)) {
			t.Errorf("%s: it signs as %s, not as %s", form, s.Public(), want)
		}
	}
	_, err = trust.LoadSigner(keys+"encrypted.pem", unasked(t))
	wantReason(t, err, refusal.BadKey)
	if !strings.Contains(err.Error(), "openssl pkey -in FILE -out NEW") {
		t.Errorf("no way out in %v", err)
	}
}

// A PKCS#8 key of version 2 also has the public half (RFC 5958), and is accepted like any other.
func TestPKCS8OfVersion2(t *testing.T) {
	der := must(hex.DecodeString("3053020101300506032b657004220420" + seedText(1) + "a123032100" +
		key(1).Public().String()))
	s, err := trust.LoadSigner(file(t, string(der)), unasked(t))
	if err != nil || s.Public() != key(1).Public() {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestKeysWithAPassphrase(t *testing.T) {
	for _, cipher := range []string{"aes256-ctr", "aes256-cbc"} {
		name := "testdata/keys/ssh." + cipher
		s, err := trust.LoadSigner(name, saying("open"))
		if err != nil {
			t.Errorf("%s: %v", cipher, err)
			continue
		}
		if message := []byte("message"); !s.Public().Signed(message, sign(t, s, message)) {
			t.Errorf("%s: it does not sign", cipher)
		}
		if _, err := trust.LoadSigner(name, saying("shut")); refusal.Of(err) != refusal.BadKey ||
			err.Error() != "the passphrase is wrong" {
			t.Errorf("%s with another passphrase: %v", cipher, err)
		}
		gone := errors.New("nobody is there")
		if _, err := trust.LoadSigner(name, func() ([]byte, error) { return nil, gone }); !errors.Is(err, gone) {
			t.Errorf("%s without a passphrase: %v", cipher, err)
		}
	}
	for _, cipher := range []string{"aes256-gcm", "chacha20-poly1305"} {
		_, err := trust.LoadSigner("testdata/keys/ssh."+cipher, unasked(t))
		wantReason(t, err, refusal.BadKey)
		for _, part := range []string{cipher + "@openssh.com", "ssh-keygen -p -Z aes256-ctr", "agent:"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %s", cipher, err, part)
			}
		}
	}
}

// Following the advice in the messages gives a key that is accepted.
func TestTheWaysOutOfUnreadableKeys(t *testing.T) {
	for _, c := range []struct{ tool, name, how string }{
		{"ssh-keygen", "ssh.aes256-gcm", "ssh-keygen -q -p -Z aes256-ctr -P open -N open -f $1 && mv $1 $2"},
		{"ssh-keygen", "ssh.chacha20-poly1305", "ssh-keygen -q -p -Z aes256-ctr -P open -N open -f $1 && mv $1 $2"},
		{"openssl", "openssl.encrypted.pem", "openssl pkey -passin pass:open -in $1 -out $2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath(c.tool); err != nil {
				t.Skipf("there is no %s on this machine", c.tool)
			}
			if err := updatestest.Nameless(); err != nil && c.tool == "ssh-keygen" {
				if os.Getenv("CI") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			old := file(t, string(read(t, "testdata/keys/"+c.name)))
			if out, err := exec.Command("sh", "-ec", c.how, "sh", old, old+".new").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if _, err := trust.LoadSigner(old+".new", saying("open")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestKeysOfOtherKinds(t *testing.T) {
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, public := must(x509.MarshalPKCS8PrivateKey(x)), must(x509.MarshalPKIXPublicKey(x.PublicKey()))
	for name, text := range map[string][]byte{
		"X25519":        private,
		"X25519 as PEM": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"RSA":           pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: private}),
		"public":        public,
	} {
		if _, err := trust.LoadSigner(file(t, string(text)), unasked(t)); refusal.Of(err) != refusal.BadKey ||
			err.Error() != "the key is not Ed25519" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := trust.ParsePublicKey(text); refusal.Of(err) != refusal.BadKey ||
			err.Error() != "the key is not Ed25519" {
			t.Errorf("%s taken for a public key: %v", name, err)
		}
	}
}

// Text next to a key would be ignored silently, so it is refused.
func TestAKeyStandsAlone(t *testing.T) {
	private, public := read(t, "testdata/keys/openssl.pkcs8.pem"), read(t, "testdata/keys/openssl.spki.pem")
	der := read(t, "testdata/keys/openssl.spki.der")
	for name, text := range map[string][]byte{
		"two public keys":      append(bytes.Clone(public), public...),
		"public and private":   append(bytes.Clone(public), private...),
		"private and public":   append(bytes.Clone(private), public...),
		"words before":         append([]byte("was revoked\n"), public...),
		"words after":          append(bytes.Clone(public), "was revoked\n"...),
		"a byte after the DER": append(bytes.Clone(der), 0),
		"half of the DER":      der[:20],
	} {
		if _, err := trust.ParsePublicKey(text); refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := trust.LoadSigner(file(t, string(text)), unasked(t)); refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s to sign with: got %v", name, err)
		}
	}
}

// A private key in any form is never accepted as a public one, whatever the file's name or the claim, and no message
// shows a part of it.
func TestAPrivateKeyIsNeverTrusted(t *testing.T) {
	secrets := map[string]string{"our own": trust.SeedText([32]byte(private(1).Seed())) + "\n"}
	for _, name := range made(t) {
		if !strings.Contains(name, "spki") {
			secrets[name] = string(read(t, name))
		}
	}
	for form, text := range secrets {
		for _, source := range []string{file(t, text), fileNamed(t, "key.pub", text), "hex-public:" +
			file(t, text), text} {
			key, err := trust.ReadPublicKey(source)
			wantReason(t, err, refusal.BadKey)
			if key != (trust.PublicKey{}) || strings.Contains(err.Error(), seedText(1)[:16]) {
				t.Errorf("%s: got %s, %v", form, key, err)
			}
		}
		if shown := trust.Shown(text); strings.Contains(shown, seedText(1)[:16]) || strings.Contains(shown, "BEGIN") {
			t.Errorf("%s: a message would show %s", form, shown)
		}
	}
}

// A key is trusted for the role system, unless its argument says apps. What is secret is secret behind the role, too.
func TestRoleOfAKey(t *testing.T) {
	public := key(1).Public()
	for source, want := range map[string]trust.Role{
		public.Text():                              trust.RoleSystem,
		"apps=" + public.Text():                    trust.RoleApps,
		"apps=hex-public:" + public.String():       trust.RoleApps,
		"apps=" + file(t, public.Text()):           trust.RoleApps,
		fileNamed(t, "apps=.pub", public.String()): trust.RoleSystem,
	} {
		if role, got, err := trust.ReadTrusted(source); err != nil || got != public || role != want {
			t.Errorf("%.20s: got %s for %s, %v", source, got, role, err)
		}
	}
	for _, source := range []string{"apps=", "system=" + public.Text(), "apps=" + public.String(), "apps=apps=" +
		public.Text()} {
		if _, got, err := trust.ReadTrusted(source); err == nil {
			t.Errorf("%.20s: got %s", source, got)
		}
	}
	secret := "apps=" + trust.SeedText([32]byte(private(1).Seed()))
	_, _, err := trust.ReadTrusted(secret)
	wantReason(t, err, refusal.BadKey)
	if shown := trust.Shown(secret); shown != "(given as text)" || strings.Contains(err.Error(), seedText(1)[:16]) {
		t.Errorf("a message would show %s, %v", shown, err)
	}
}

// Bare hex may be either half. It is interpreted only as claimed, by a public file's name or a prefix.
func TestBareHexSaysNothing(t *testing.T) {
	public, seed := key(1).Public(), seedText(1)
	for _, source := range []string{
		fileNamed(t, "key.pub", public.String()+"\n"), "hex-public:" + file(t, public.String()), "hex-public:" +
			public.String(), public.Text(), file(t, public.Text()),
	} {
		if got, err := trust.ReadPublicKey(source); err != nil || got != public {
			t.Errorf("%.20s: got %s, %v", source, got, err)
		}
	}
	for _, source := range []string{public.String(), seed, file(t, public.String()), file(t, seed)} {
		_, err := trust.ReadPublicKey(source)
		wantReason(t, err, refusal.BadKey)
		if !strings.Contains(err.Error(), "hex-public:") || strings.Contains(err.Error(), seed[:16]) {
			t.Errorf("%.20s: %v", source, err)
		}
	}
	if _, err := trust.LoadSigner(file(t, seed), unasked(t)); refusal.Of(err) != refusal.BadKey ||
		!strings.Contains(err.Error(), "hex-seed:") {
		t.Errorf("a seed that does not say so: %v", err)
	}
	if s, err := trust.LoadSigner("hex-seed:"+file(t, seed+"\n"), unasked(t)); err != nil || s.Public() != public {
		t.Errorf("a seed that is said to be one: %v", err)
	}
}

// A public key alone never signs, whatever its file's name.
func TestAPublicKeyNeverSigns(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	public := key(1).Public()
	line := sshLine(t, ed25519.PublicKey(public[:]))
	for _, text := range []string{public.Text(), line, string(read(t, "testdata/keys/openssl.spki.pem")),
		string(read(t, "testdata/keys/openssl.spki.der"))} {
		for _, source := range []string{file(t, text), fileNamed(t, "renamed.key", text), "hex-seed:" + file(t, text)} {
			_, err := trust.LoadSigner(source, unasked(t))
			wantReason(t, err, refusal.BadKey)
			if !strings.HasPrefix(err.Error(), "it is a public key") {
				t.Errorf("got %v", err)
			}
		}
	}
}
