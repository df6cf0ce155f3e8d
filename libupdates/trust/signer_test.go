package trust_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// private returns the private key of the n-th test key.
func private(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32))
}

func file(t *testing.T, text string) string { return fileNamed(t, "key", text) }

func fileNamed(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func pemText(t *testing.T, block *pem.Block, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func seedText(n byte) string { return hex.EncodeToString(private(n).Seed()) }

func TestLoadSigner(t *testing.T) {
	block, err := ssh.MarshalPrivateKey(private(1), "comment")
	for name, text := range map[string]string{
		"seed":              trust.SeedText([32]byte(private(1).Seed())) + "\n",
		"OpenSSH":           pemText(t, block, err),
		"seed without line": trust.SeedText([32]byte(private(1).Seed())),
	} {
		s, err := trust.LoadSigner(file(t, text), trust.NoPassphrase)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if message := []byte("message"); !key(1).Public().Signed(message, sign(t, s, message)) {
			t.Errorf("%s: the signature is not the key's", name)
		}
	}
}

func TestLoadSignerRefuses(t *testing.T) {
	locked, lockedErr := ssh.MarshalPrivateKeyWithPassphrase(private(1), "", []byte("secret"))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, otherErr := ssh.MarshalPrivateKey(curve, "")
	for name, text := range map[string]string{
		"nothing":       "",
		"bare hex":      seedText(1),
		"short seed":    trust.SeedText([32]byte(private(1).Seed()))[:80],
		"long seed":     trust.SeedText([32]byte(private(1).Seed())) + "00",
		"no key":        "hello",
		"another kind":  pemText(t, other, otherErr),
		"passphrase":    pemText(t, locked, lockedErr),
		"over the size": strings.Repeat(" ", 16<<10) + trust.SeedText([32]byte(private(1).Seed())),
	} {
		_, err := trust.LoadSigner(file(t, text), trust.NoPassphrase)
		if refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), seedText(1)[2:20]) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
		if name == "passphrase" && !strings.Contains(err.Error(), "ssh-agent") {
			t.Errorf("%s: no way out in %v", name, err)
		}
	}
	if _, err := trust.LoadSigner(filepath.Join(t.TempDir(), "none"), trust.NoPassphrase); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

// serveAgent serves a real agent with these keys and sets SSH_AUTH_SOCK to its socket.
func serveAgent(t *testing.T, keys ...agent.AddedKey) {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	t.Setenv("SSH_AUTH_SOCK", listener.Addr().String())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn) // ends with the connection
		}
	}()
}

func TestLoadSignerFromAgent(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one, two := private(1), private(2)
	serveAgent(t,
		agent.AddedKey{PrivateKey: &one, Comment: "release"},
		agent.AddedKey{PrivateKey: &two, Comment: "twice"},
		agent.AddedKey{PrivateKey: curve, Comment: "twice"})
	public, err := ssh.NewPublicKey(one.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]byte{
		"agent:release":                          1,
		"agent:" + ssh.FingerprintSHA256(public): 1,
		"agent:twice":                            2, // the other of that name is not Ed25519
		fileNamed(t, "key.pub", key(2).Public().String()+"\n"): 2,
		file(t, sshLine(t, one.Public())+" who@me"):            1,
	} {
		s, err := trust.LoadSigner(name, trust.NoPassphrase)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if message := []byte("message"); s.Public() != key(n).Public() ||
			!s.Public().Signed(message, sign(t, s, message)) {
			t.Errorf("%s: the signature is not that of key %d", name, n)
		}
	}
	for _, name := range []string{"agent:", "agent:nobody", fileNamed(t, "key.pub", key(3).Public().String())} {
		if _, err := trust.LoadSigner(name, trust.NoPassphrase); refusal.Of(err) != refusal.BadKey {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLoadSignerWithoutAgent(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	_, err := trust.LoadSigner("agent:", trust.NoPassphrase)
	wantReason(t, err, refusal.BadKey)
}

// A PIN in a URI is refused, and is in no message.
func TestTokenURI(t *testing.T) {
	const open, plain = "pkcs11:token=release?pin-value=1234", "pkcs11:token=release?pin-source=file:/pin"
	wantReason(t, trust.CheckTokenURI(open), refusal.BadKey)
	wantReason(t, trust.CheckTokenURI(plain), "")
	for source, want := range map[string]string{open: "pkcs11:(with a PIN)", plain: plain} {
		if got := trust.Shown(source); got != want {
			t.Errorf("%s is shown as %s", source, got)
		}
	}
	if err := trust.CheckTokenURI(open); strings.Contains(err.Error(), "1234") {
		t.Errorf("the PIN is in %q", err)
	}
}
