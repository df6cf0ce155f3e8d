package nxspack

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// keygenVerb makes a key pair.
type keygenVerb struct {
	Output string `required:"" placeholder:"FILE" help:"Where the private key goes; the public key goes to FILE.pub."`
}

// publicSuffix is how the names of public key files end, and of nothing else (trust.LoadSigner).
const publicSuffix = ".pub"

// Validate refuses to put a seed where everybody looks for a public key.
func (v *keygenVerb) Validate() error {
	if strings.HasSuffix(v.Output, publicSuffix) {
		return fmt.Errorf("--output %s: that is the name of a public key, which is written beside the private one", show(v.Output))
	}
	return nil
}

// Run writes a new seed to a file that only its owner can read, and the public key beside it. It replaces neither.
func (v *keygenVerb) Run(c *command) error {
	var seed [32]byte
	rand.Read(seed[:]) // never fails: the runtime ends the process when the system has no randomness
	public := trust.NewSigner(seed).Public()
	if err := writeNew(v.Output, 0o600, hex.EncodeToString(seed[:])); err != nil {
		return cannot("write key", v.Output, err)
	}
	if err := writeNew(v.Output+publicSuffix, modeFile, public.String()); err != nil {
		return cannot("write key", v.Output+publicSuffix, errors.Join(err, os.Remove(v.Output)))
	}
	return c.answer(struct {
		PublicKey string `json:"publicKey"`
	}{public.String()}, public.String()+"\n")
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

// maxKeyText bounds a public key's text, in bytes.
const maxKeyText = 4 << 10

// anchors are the publishers named by --trust.
func anchors(sources []string) (trust.Anchors, error) {
	var a trust.Anchors
	for _, source := range sources {
		text, err := keyText(source)
		if err != nil {
			return a, cannot("read key", source, err)
		}
		key, err := trust.ParsePublicKey(text)
		if err != nil {
			return a, cannot("use key", source, err)
		}
		a = a.Add(trust.RoleSystem, key)
	}
	return a, nil
}

// keyText is what a file holds, or the source itself where it is a key and not a file's name.
func keyText(source string) ([]byte, error) {
	if _, err := trust.ParsePublicKey([]byte(source)); err == nil {
		return []byte(source), nil
	}
	f, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyText+1))
	if err == nil && len(text) > maxKeyText {
		err = refusal.New(refusal.BadKey, "file of over %d bytes", maxKeyText)
	}
	return text, err
}

// signer is the key named by --key.
func signer(name string) (trust.Signer, error) {
	s, err := trust.LoadSigner(name)
	if err != nil {
		return nil, fmt.Errorf("cannot use key %s: %w", show(name), plain(err, name))
	}
	return s, nil
}
