package nxspack_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
)

// identity makes a key and a certificate for 127.0.0.1 that vouches for itself, unless it is changed, and returns the
// file by which it is known.
func identity(t *testing.T, change func(*x509.Certificate)) (cert tls.Certificate, ca string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	change(template)
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	overwrite(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, ca
}

// peer serves each connection by a function, and returns its address.
func peer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// TestRegistriesWithBadTLS pulls from peers that do not speak TLS as a registry has to. Each gets one reason, and no
// credentials.
func TestRegistriesWithBadTLS(t *testing.T) {
	honest := func(*x509.Certificate) {}
	by := func(change func(*tls.Config)) func(tls.Certificate) func(net.Conn) {
		return func(cert tls.Certificate) func(net.Conn) {
			return func(conn net.Conn) {
				config := &tls.Config{Certificates: []tls.Certificate{cert}}
				change(config)
				_, _ = io.Copy(io.Discard, tls.Server(conn, config))
			}
		}
	}
	says := func(text string) func(tls.Certificate) func(net.Conn) {
		return func(tls.Certificate) func(net.Conn) {
			return func(conn net.Conn) {
				_, _ = io.WriteString(conn, text)
				_, _ = io.Copy(io.Discard, conn)
			}
		}
	}
	asIs := by(func(*tls.Config) {})
	for name, c := range map[string]struct {
		certificate func(*x509.Certificate)
		serve       func(tls.Certificate) func(net.Conn)
		reason      string
	}{
		"a certificate whose time is over": {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) },
			asIs,
			"untrusted-registry"},
		"a certificate whose time has not begun": {func(c *x509.Certificate) { c.NotBefore = c.NotAfter }, asIs,
			"untrusted-registry"},
		"the certificate of another machine": {func(c *x509.Certificate) {
			c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
		}, asIs, "untrusted-registry"},
		"a certificate for clients": {func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, asIs, "untrusted-registry"},
		"an old version of TLS": {honest, by(func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}), "bad-registry"},
		"it wants our certificate": {honest, by(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }),
			"bad-registry"},
		"another protocol":           {honest, says("220 ready\r\n"), "bad-registry"},
		"HTTP":                       {honest, says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "bad-registry"},
		"a record that is too large": {honest, says("\x16\x03\x03\xff\xff"), "bad-registry"},
		"half a handshake": {honest, says("\x16\x03\x03\x00\x7a\x02\x00\x00\x76"),
			"registry-unavailable"},
		"nothing": {honest, says(""), "registry-unavailable"},
		"the end of the connection": {honest, func(tls.Certificate) func(net.Conn) { return func(net.Conn) {} },
			"registry-unavailable"},
		"a handshake, and no answer": {honest, asIs, "registry-unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			cert, ca := identity(t, c.certificate)
			var connections atomic.Int64
			serve := c.serve(cert)
			host := peer(t, func(conn net.Conn) {
				connections.Add(1)
				serve(conn)
			})
			o := pacedRun(t, "pull", "oci://"+host+"/demo:1", "--output", "out.nxs", "--ca", ca, "--credentials",
				credentials(t, host, "anna", "hunter2"))
			if o.Reason != c.reason {
				t.Errorf("got reason %q (%s), want %q", o.Reason, o.Error, c.reason)
			}
			if n := connections.Load(); n > maxRequests {
				t.Errorf("it cost %d connections", n)
			}
			if strings.Contains(o.Error+o.stderr, "hunter2") || len(o.Error) > 400 {
				t.Errorf("the error is %q", o.stderr)
			}
			if _, err := os.Stat("out.nxs"); err == nil {
				t.Error("something was written")
			}
			leftovers(t)
		})
	}
}

// TestRedirectsTakeNoCredentials has a registry redirect to another server, on another machine and on the same.
func TestRedirectsTakeNoCredentials(t *testing.T) {
	l, host := ocitest.Lying(t)
	t.Chdir(t.TempDir())
	want := setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": ocitest.PayloadText})
	ref := "oci://" + host + "/demo:1"
	succeed(t, "push", "1.nxs", ref)
	var asked, told atomic.Int64
	other := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" || strings.Contains(r.URL.String(), "hunter2") {
			told.Add(1)
		}
		l.Handler.ServeHTTP(w, r)
	}))
	other.Config.ErrorLog = log.New(io.Discard, "", 0)
	other.Start()
	t.Cleanup(other.Close)
	for _, name := range []string{"127.0.0.1", "localhost"} {
		elsewhere := "http://" + name + other.URL[strings.LastIndex(other.URL, ":"):]
		l.Lie = func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			switch {
			case r.Header.Get("Authorization") == "":
				w.Header().Set("Www-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			case strings.Contains(r.URL.Path, "/blobs/"):
				http.Redirect(w, r, elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
				return true
			}
			return false
		}
		asked.Store(0)
		if o := pacedRun(t, "pull", ref, "--output", "out.nxs", "--trust", updatestest.Key(1).Public().Text(),
			"--credentials", credentials(t, host, "anna", "hunter2")); o.Reason != "" {
			t.Fatalf("%s: %+v", name, o)
		}
		sameBytes(t, "out.nxs", want)
		if asked.Load() == 0 || told.Load() > 0 {
			t.Errorf("%s was asked %d times, %d times with credentials", name, asked.Load(), told.Load())
		}
	}
}
