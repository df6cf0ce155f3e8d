package nxspack_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// The same key gives the same set in all its forms: as a seed, as an OpenSSH file, or in an agent that never reveals
// it.
func TestEveryFormOfAKeyPacksTheSameSet(t *testing.T) {
	t.Chdir(t.TempDir())
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	serveAgent(t, agent.AddedKey{PrivateKey: key, Comment: "release"})
	for name, text := range map[string][]byte{
		"seed": []byte(
			"nexus-ed25519-seed:0101010101010101010101010101010101010101010101010101010101010101\n"),
		"openssh":       pem.EncodeToMemory(block),
		"openssh.pub":   ssh.MarshalAuthorizedKey(public),
		"bare":          []byte("0101010101010101010101010101010101010101010101010101010101010101\n"),
		"pkcs8":         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		"hex.pub":       []byte("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\n"),
		"program":       []byte("program"),
		"manifest.toml": []byte("name = \"a\"\nversion = \"1.0.0\"\n"),
		"set.toml":      []byte("system_version = \"1.0.0\"\n"),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := packWith(t, "seed")
	for _, name := range []string{"hex-seed:bare", "pkcs8", "openssh", "openssh.pub", "hex.pub", "agent:",
		"agent:release", "agent:" + ssh.FingerprintSHA256(public)} {
		if got := packWith(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s: another set than by the seed", name)
		}
	}
	for _, name := range []string{"hex.pub", "openssh.pub",
		"nexus-ed25519-public:8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"} {
		run(t, set, "verify", "--trust", name, "system.nxs")
	}
}

// packWith packs and signs one bundle, and a set with it, with the key, and returns the set.
func packWith(t *testing.T, key string) []byte {
	t.Helper()
	if err := os.RemoveAll("in"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("in", 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, bundle, "--key", key, "program", "in/a.nxb")
	run(t, set, "--input", "in", "--meta", "set.toml", "--key", key, "--output", "system.nxs")
	raw, err := os.ReadFile("system.nxs")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// run runs a packer that must succeed.
func run(t *testing.T, packer func([]string, *bytes.Buffer, *bytes.Buffer) int, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := packer(args, &stdout, &stderr); status != 0 {
		t.Fatalf("%q: exit status %d: %s", args, status, &stderr)
	}
}

// serveAgent serves an agent with the key and sets SSH_AUTH_SOCK to its socket.
func serveAgent(t *testing.T, key agent.AddedKey) {
	t.Helper()
	ring := agent.NewKeyring()
	if err := ring.Add(key); err != nil {
		t.Fatal(err)
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
