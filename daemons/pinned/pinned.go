// Package pinned speaks TLS 1.3 between two Ed25519 keys. There are no authorities: each side shows a certificate that
// it made itself, and the other looks only at the key in it, which the handshake proves. So what a certificate says
// otherwise, its names and times, means nothing.
package pinned

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"time"

	"nexus/libupdates/trust"
)

// protocol is what both sides say that they speak (ALPN), so that no other service of the same key can be meant.
const protocol = "nexus-operator/1"

// ErrKey says that the other side has a key that is not wanted.
var ErrKey = errors.New("the other side has another key")

// Server returns what a device listens with. accept is asked about each key that is about to be proven; an error ends
// the handshake.
func Server(own trust.Signer, accept func(trust.PublicKey) error) (*tls.Config, error) {
	config, err := configOf(own, accept)
	if err != nil {
		return nil, err
	}
	config.ClientAuth = tls.RequireAnyClientCert
	config.SessionTicketsDisabled = true // a key that was revoked must not come back by one
	return config, nil
}

// Client returns what an operator connects with to the device that has a key.
func Client(own trust.Signer, device trust.PublicKey) (*tls.Config, error) {
	config, err := configOf(own, func(key trust.PublicKey) error {
		if key != device {
			return ErrKey
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	config.InsecureSkipVerify = true // no authority vouches for the device; VerifyConnection wants its key
	return config, nil
}

func configOf(own trust.Signer, accept func(trust.PublicKey) error) (*tls.Config, error) {
	cert, err := certificate(own)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{protocol},
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.NegotiatedProtocol != protocol {
				return errors.New("the other side speaks another protocol")
			}
			key, err := keyOf(state)
			if err != nil {
				return err
			}
			return accept(key)
		},
	}, nil
}

// keyOf returns the key of the other side. The handshake proves that it has it.
func keyOf(state tls.ConnectionState) (trust.PublicKey, error) {
	if len(state.PeerCertificates) != 1 {
		return trust.PublicKey{}, errors.New("the other side shows more or less than one certificate")
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize {
		return trust.PublicKey{}, errors.New("the other side has no Ed25519 key")
	}
	return trust.PublicKey(key), nil
}

// KeyOf returns the key of the other side of a connection whose handshake is over.
func KeyOf(conn *tls.Conn) (trust.PublicKey, error) { return keyOf(conn.ConnectionState()) }

// certificate makes a certificate for a key, by that key.
func certificate(own trust.Signer) (tls.Certificate, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0),
		NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
	key := signer{own}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// A signer is a trust.Signer for the standard library.
type signer struct{ trust.Signer }

// Public implements crypto.Signer.
func (s signer) Public() crypto.PublicKey {
	key := s.Signer.Public()
	return ed25519.PublicKey(key[:])
}

// Sign implements crypto.Signer. Ed25519 signs messages, not digests.
func (s signer) Sign(_ io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	if o.HashFunc() != 0 {
		return nil, errors.New("cannot sign: Ed25519 signs no digests")
	}
	return s.Signer.Sign(message)
}
