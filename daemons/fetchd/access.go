package fetchd

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"os"

	"nexus/libupdates/refusal"
	"nexus/oci"
)

// maxFile bounds the files with which registries are reached.
const maxFile = 1 << 20

// window bounds what the kernel has received when this process, or the machine, dies, and what is fetched again
// therefore. With what updated has in memory and on disk (slots) it stays below 1 MiB.
const window = 128 << 10

// client returns a client for a reference. The files are read each time, so that they can be changed in place.
func (a access) client(ref oci.Reference, pace oci.Pace) (*oci.Client, error) {
	options := oci.Options{Pace: pace, Line: oci.Line{Resolver: overTCP(), Window: window, Rate: a.rate}}
	var err error
	if options.Credentials, err = content(a.credentials); err != nil {
		return nil, err
	}
	pem, err := content(a.roots)
	if err != nil {
		return nil, err
	}
	if len(pem) > 0 {
		options.Roots = x509.NewCertPool()
		if !options.Roots.AppendCertsFromPEM(pem) {
			return nil, refusal.New(refusal.BadFile, "the certificates for registries are not in PEM")
		}
	}
	return oci.New(ref, options)
}

func content(f *os.File) ([]byte, error) { return io.ReadAll(io.NewSectionReader(f, 0, maxFile)) }

// overTCP asks for names over TCP: this process has no other sockets.
func overTCP() *net.Resolver {
	dialer := &net.Dialer{}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", address)
	}}
}
