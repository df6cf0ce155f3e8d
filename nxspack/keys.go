package nxspack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"nexus/libupdates/trust"
)

// keygenVerb makes a key pair.
type keygenVerb struct {
	Output string `required:"" placeholder:"FILE" help:"Where the private key goes; the public key goes to FILE.pub."`
}

// publicSuffix is how the names of public key files end, and of nothing else.
const publicSuffix = ".pub"

// Validate refuses to put a seed where everybody looks for a public key.
func (v *keygenVerb) Validate() error {
	if strings.HasSuffix(v.Output, publicSuffix) {
		return fmt.Errorf("--output %s: that is the name of a public key, which is written beside the private one",
			show(v.Output))
	}
	return nil
}

// Run writes a new seed to a file that only its owner can read, and the public key beside it. It replaces neither.
func (v *keygenVerb) Run(c *command) error {
	var seed [32]byte
	rand.Read(seed[:]) // never fails: the runtime ends the process when the system has no randomness
	public := trust.NewSigner(seed).Public()
	if err := writeNew(v.Output, 0o600, trust.SeedText(seed)); err != nil {
		return cannot("write key", v.Output, err)
	}
	if err := writeNew(v.Output+publicSuffix, modeFile, public.Text()); err != nil {
		return cannot("write key", v.Output+publicSuffix, errors.Join(err, os.Remove(v.Output)))
	}
	return c.answer(struct {
		PublicKey string `json:"publicKey"`
	}{public.String()}, public.Text()+"\n")
}

// writeNew writes one line to a file that must not be there yet.
func writeNew(name string, mode os.FileMode, line string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, line+"\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// anchors are the publishers named by --trust.
func anchors(sources []string) (trust.Anchors, error) {
	var a trust.Anchors
	for _, source := range sources {
		key, err := publicKey(source)
		if err != nil {
			return a, err
		}
		a = a.Add(trust.RoleSystem, key)
	}
	return a, nil
}

// publicKey is a key named by its text or its file.
func publicKey(source string) (trust.PublicKey, error) {
	key, err := trust.ReadPublicKey(source)
	return key, cannot("use key", trust.Shown(source), err)
}

// signer is the key named by --key.
func (c *command) signer(ctx context.Context, name string) (trust.Signer, error) {
	s, err := trust.LoadSigner(name, c.passphrase(ctx, name))
	return s, cannot("use key", trust.Shown(name), err)
}
