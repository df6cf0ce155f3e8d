package oci_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/libupdates/nxs"
	"nexus/oci"
)

// A registry may end TLS in the middle of a blob, as it does when it is restarted. The last bytes and the end then come
// by one read.
func TestBlobGoesOnAfterTheEndOfTLS(t *testing.T) {
	content := bytes.Repeat([]byte("payload "), 4<<10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(content))
		conn.Write(content[:len(content)/4])
	}))
	server.Listener = together{server.Listener}
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS12} // crypto/tls looks ahead for the end of this version only
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	ref, err := oci.Parse(oci.Scheme + strings.TrimPrefix(server.URL, "https://") + "/demo:1")
	if err != nil {
		t.Fatal(err)
	}
	client, err := oci.New(ref, oci.Options{Roots: roots, Pace: oci.Pace{Patience: time.Minute, Retries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	blob := client.Blob(t.Context(), oci.Entry{Name: "alpha.nxb/payload.elf", Size: int64(len(content)),
		Digest: nxs.Sum(content)})
	defer blob.Close()
	got := make([]byte, len(content))
	if n, err := io.ReadFull(blob, got); err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

// A together listener's connections send what is written when they are read or closed.
type together struct{ net.Listener }

func (l together) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &heldBack{Conn: conn}, err
}

type heldBack struct {
	net.Conn
	mu      sync.Mutex
	written bytes.Buffer
}

func (c *heldBack) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written.Write(p)
}

func (c *heldBack) send() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.written.WriteTo(c.Conn)
	return err
}

func (c *heldBack) Read(p []byte) (int, error) {
	if err := c.send(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// SetWriteDeadline does nothing: once TLS has ended, crypto/tls lets no more be written.
func (c *heldBack) SetWriteDeadline(time.Time) error { return nil }

func (c *heldBack) Close() error { return errors.Join(c.send(), c.Conn.Close()) }
