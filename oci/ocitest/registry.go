package ocitest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// A Kind is a registry's program.
type Kind string

// The registries.
const (
	Debian       Kind = "docker-registry" // Debian's package of that name
	Distribution Kind = "distribution"    // the module in selftest/distribution
)

// Kinds returns all registries.
func Kinds() []Kind { return []Kind{Debian, Distribution} }

// Options of a registry.
type Options struct {
	TLS            bool
	User, Password string // whom it lets in; empty: everybody
}

// A Registry is a running registry.
type Registry struct {
	Host string // address and port
	CA   string // with TLS: the file of its certificate
	Dir  string // where its blobs are

	program, config string
	stop            func()
}

// Start starts a registry that ends with the test. It skips the test where the program cannot be had; CI has to have
// it.
func Start(t testing.TB, kind Kind, o Options) *Registry {
	t.Helper()
	r := &Registry{Host: "127.0.0.1:0", Dir: t.TempDir(), program: Program(t, kind)}
	r.config = r.configure(t, o)
	r.Run(t)
	t.Cleanup(func() { r.Kill() })
	return r
}

// Kill kills the registry, in the middle of what it does.
func (r *Registry) Kill() { r.stop() }

// Run starts the registry, where it was before if it has been killed.
func (r *Registry) Run(t testing.TB) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%s  addr: %s\n", r.config, r.Host), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, r.program, "serve", file)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	errors, err := cmd.StderrPipe()
	if err == nil {
		cmd.Stdout = nil
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	r.Host = listening(t, errors)
}

// configure returns the registry's configuration, except for its address.
func (r *Registry) configure(t testing.TB, o Options) string {
	t.Helper()
	text := fmt.Sprintf("version: 0.1\nlog: {level: info}\nstorage:\n  filesystem: {rootdirectory: %s}\n", r.Dir)
	tls := ""
	if o.TLS {
		var key string
		r.CA, key = Certificate(t)
		tls = fmt.Sprintf("  tls: {certificate: %s, key: %s}\n", r.CA, key)
	}
	if o.User != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(o.Password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "htpasswd")
		if err := os.WriteFile(file, []byte(o.User+":"+string(hash)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("auth:\n  htpasswd: {realm: test, path: %s}\n", file)
	}
	return text + "http:\n" + tls
}

// listening waits until the registry says where it listens, and goes on reading what it says.
func listening(t testing.TB, from io.Reader) string {
	t.Helper()
	at := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	lines := bufio.NewScanner(from)
	var said []string
	for lines.Scan() {
		if found := at.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, from) }()
			return found[1]
		}
		said = append(said, lines.Text())
	}
	t.Fatalf("the registry ended:\n%s", strings.Join(said, "\n"))
	return ""
}

// Program returns the path of a registry's program. It skips the test where that cannot be had.
func Program(t testing.TB, kind Kind) string {
	t.Helper()
	program, err := exec.LookPath(string(kind))
	if kind == Distribution {
		program, err = build()
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no registry %s: %v", kind, err)
	}
	return program
}

// build returns the program of selftest/distribution, which the go command keeps in its cache.
func build() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "tool", "-n", string(Distribution))
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), "selftest", string(Distribution))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in guests, too
	cmd.Stderr = new(bytes.Buffer)
	program, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot build selftest/distribution: %w: %.300s", err, cmd.Stderr)
	}
	return strings.TrimSpace(string(program)), nil
}

// guestHost is this machine for guests of QEMU, and the machine with the registry for those at a cable.
var guestHost = net.IPv4(10, 0, 2, 2)

// Certificate makes a certificate for this machine that vouches for itself, and its key.
func Certificate(t testing.TB) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "registry"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), guestHost},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return writePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", cert),
		writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", der)
}

func writePEM(t testing.TB, name, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
