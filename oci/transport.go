package oci

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"

	"nexus/libupdates/refusal"
)

const (
	connectTimeout = 10 * time.Second
	idleTimeout    = 10 * time.Second
	maxHeader      = 64 << 10
	maxRedirects   = 5
)

// newHTTP returns a client that speaks TLS with everybody and, if plain is set, HTTP with this machine.
func newHTTP(plain bool, o Options) *http.Client {
	pace := o.Pace
	way := &split{secure: newTransport(nil, o)}
	way.secure.Proxy = http.ProxyFromEnvironment
	way.secure.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}
	if plain {
		way.plain = newTransport(onlyLoopback, o)
	}
	policy := &retry.GenericPolicy{Retryable: repeatable, MaxWait: pace.MaxPause, MaxRetry: pace.Retries,
		Backoff: func(n int, resp *http.Response) time.Duration { return max(pace.pause(n), asked(resp)) }}
	return &http.Client{
		Transport: &retry.Transport{Base: watched{way, pace.Patience}, Policy: func() retry.Policy { return policy }},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return refusal.New(refusal.BadRegistry, "more than %d redirects", maxRedirects)
			}
			return nil
		},
	}
}

func newTransport(control func(string, string, syscall.RawConn) error, o Options) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: control, Resolver: o.Line.Resolver}
	return &http.Transport{
		DialContext:            o.Line.dial(dialer),
		TLSHandshakeTimeout:    min(connectTimeout, o.Pace.Patience),
		ResponseHeaderTimeout:  o.Pace.Patience,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // sizes and ranges are those of the blobs
	}
}

// A split transport sends each request the way that its scheme is allowed.
type split struct{ secure, plain *http.Transport }

// RoundTrip implements http.RoundTripper.
func (s *split) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return s.secure.RoundTrip(req)
	}
	if s.plain == nil {
		return nil, refusal.New(refusal.BadRegistry, "it leads to %s, which is not TLS", req.URL.Scheme)
	}
	return s.plain.RoundTrip(req)
}

// errRemote is why nothing is sent to another machine without TLS.
var errRemote = refusal.New(refusal.BadRegistry, "it leads to another machine without TLS")

func onlyLoopback(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return errRemote
	}
	return nil
}

// repeatable reports whether a request may succeed when it is repeated.
func repeatable(resp *http.Response, err error) (bool, error) {
	if err == nil {
		return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout ||
			resp.StatusCode >= http.StatusInternalServerError, nil
	}
	if broken(err) {
		return true, nil
	}
	return false, err
}

// broken reports whether an error is one of the network, not of what the registry said.
func broken(err error) bool {
	if refusal.Of(err) != refusal.IO {
		return false
	}
	err = inner(err)
	var network net.Error
	return errors.As(err, &network) && !untrusted(err) && !alerted(err) || cut(err)
}

// alerted reports whether the other side ended TLS and said why: it would again.
func alerted(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "remote error" // crypto/tls has no other name for it
}

// asked returns for how long a registry asks to be left alone.
func asked(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
