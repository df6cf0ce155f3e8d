//go:build cgo

// Command nxs-sign-pkcs11 signs with an Ed25519 key in a PKCS#11 token. The packers start it for `--key pkcs11:…`. It
// is a program of its own because a token's module is a C library: the packers need no C compiler, and run no code of
// the token's maker.
//
// It takes the URI of a key (RFC 7512) and speaks ssh-agent's protocol on its standard input and output: unlock takes
// the PIN, list returns the one key, sign signs raw bytes. The protocol gives no reasons, so they are lines on standard
// error. A PIN is never printed.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func main() {
	log.SetOutput(io.Discard) // of the library, which says the same as told
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: nxs-sign-pkcs11 URI (RFC 7512; `nxs-pack --key pkcs11:…` starts it)")
	}
	t, err := openToken(args[0])
	if err != nil {
		return err
	}
	defer t.close()
	err = agent.ServeAgent(&signer{Agent: agent.NewKeyring(), token: t}, struct {
		io.Reader
		io.Writer
	}{os.Stdin, os.Stdout})
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A signer is an ssh-agent with the one key of a token.
type signer struct {
	agent.Agent // for what no packer asks: without keys
	token       *token
	key         *edKey // once it was found
}

// told prints why something failed, because the protocol does not say.
func told(err error) error {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return err
}

// Unlock logs in.
func (s *signer) Unlock(pin []byte) error { return told(s.token.login(string(pin))) }

// List returns the key.
func (s *signer) List() ([]*agent.Key, error) {
	key, err := s.token.find()
	if err != nil {
		return nil, told(err)
	}
	public, err := ssh.NewPublicKey(key.public)
	if err != nil {
		return nil, told(err)
	}
	s.key = key
	return []*agent.Key{{Format: public.Type(), Blob: public.Marshal(), Comment: key.label}}, nil
}

// Sign signs with the key that List returned.
func (s *signer) Sign(wanted ssh.PublicKey, message []byte) (*ssh.Signature, error) {
	if s.key == nil {
		return nil, told(errors.New("no key was listed"))
	}
	raw, err := s.token.sign(s.key, message)
	if err != nil {
		return nil, told(err)
	}
	return &ssh.Signature{Format: wanted.Type(), Blob: raw}, nil
}
