package nxspack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"nexus/libupdates/trust"
)

// keygenVerb creates a key pair.
type keygenVerb struct {
	Output string `required:"" placeholder:"FILE" help:"File for the private key; the public key is written to FILE.pub."`
}

// publicSuffix marks files with public keys, and is reserved for them.
const publicSuffix = ".pub"

// Validate refuses to write a seed to a file that is named like a public key.
func (v *keygenVerb) Validate() error {
	if strings.HasSuffix(v.Output, publicSuffix) {
		return fmt.Errorf("--output %s: that is the name of a public key, which is written beside the private one",
			show(v.Output))
	}
	return nil
}

// Run writes a new seed to a file that only its owner can read, and the public key next to it. It replaces neither
// file.
func (v *keygenVerb) Run(c *command) error {
	c.publishing.Lock() // the command must not exit with half a key written
	defer c.publishing.Unlock()
	seed := trust.NewSeed()
	public := trust.NewSigner(seed).Public()
	if err := writeNew(v.Output, 0o600, trust.SeedText(seed)); err != nil {
		return cannot("write key", v.Output, err)
	}
	if err := writeNew(v.Output+publicSuffix, modeFile, public.Text()); err != nil {
		return cannot("write key", v.Output+publicSuffix, errors.Join(err, os.Remove(v.Output)))
	}
	if err := syncDir(filepath.Dir(v.Output)); err != nil {
		return cannot("write key", v.Output, err)
	}
	return c.answer(struct {
		PublicKey string `json:"publicKey"`
	}{public.String()}, public.Text()+"\n")
}

// writeNew writes one line to a new file.
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

// anchors returns the publishers named by --trust as trust anchors.
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

// publicKey returns a public key that is given as text or as a file.
func publicKey(source string) (trust.PublicKey, error) {
	key, err := trust.ReadPublicKey(source)
	return key, cannot("use key", trust.Shown(source), err)
}

// signer returns the signer named by --key.
func (c *command) signer(ctx context.Context, name string) (trust.Signer, error) {
	if strings.HasPrefix(name, trust.TokenPrefix) {
		s, err := c.tokenSigner(ctx, name)
		return s, cannot("use key", trust.Shown(name), err)
	}
	s, err := trust.LoadSigner(name, c.passphrase(ctx, name))
	return s, cannot("use key", trust.Shown(name), err)
}
