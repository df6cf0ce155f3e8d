package nxspack

import (
	"encoding/hex"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// manifestToml is manifest.toml. Publisher and Sig are hex; they are computed where the file has none and a key is given.
type manifestToml struct {
	Name      string   `toml:"name"`
	Version   string   `toml:"version"`
	Abilities []string `toml:"abilities"`
	Caps      []string `toml:"caps"`
	MinSDK    string   `toml:"min_sdk"`
	Publisher string   `toml:"publisher"`
	Sig       string   `toml:"sig"`
}

func readManifestToml(name string) (manifestToml, error) {
	text, err := readText(name)
	if err != nil {
		return manifestToml{}, err
	}
	return decodeManifestToml(text)
}

func decodeManifestToml(text []byte) (manifestToml, error) {
	var meta manifestToml
	return meta, decodeToml(text, &meta, "name", "version")
}

// unsigned is the manifest of a payload but for publisher and signature.
func (t manifestToml) unsigned(payload []byte) nxb.Manifest {
	digest := nxs.Sum(payload)
	return nxb.Manifest{
		Name:          t.Name,
		Version:       t.Version,
		Abilities:     t.Abilities,
		Capabilities:  t.Caps,
		MinSDK:        t.MinSDK,
		PayloadDigest: digest[:],
		PayloadSize:   uint64(len(payload)),
	}
}

// signed is the manifest of a payload that was signed elsewhere. Without the publisher's key the signature cannot be checked here.
func (t manifestToml) signed(payload []byte) (nxb.Manifest, error) {
	if t.Publisher == "" || t.Sig == "" {
		err := refusal.New(refusal.BadMetadata, "keys publisher and sig are missing")
		return nxb.Manifest{}, hinted{err, "name the key to sign with: --key KEY"}
	}
	publisher, err := hexField("publisher", t.Publisher, len(nxb.Manifest{}.Publisher))
	if err != nil {
		return nxb.Manifest{}, err
	}
	m := t.unsigned(payload)
	m.Publisher = [16]byte(publisher)
	m.Signature, err = hexField("sig", t.Sig, nxs.SignatureSize)
	return m, err
}

// sign is the manifest of a payload, signed by the key. What the file says about publisher and signature must be true of that key.
func (t manifestToml) sign(payload []byte, key trust.Signer) (nxb.Manifest, error) {
	m := t.unsigned(payload)
	public := key.Public()
	m.Publisher = public.ID()
	if t.Publisher != "" && !strings.EqualFold(t.Publisher, hex.EncodeToString(m.Publisher[:])) {
		return m, refusal.New(refusal.PublisherMismatch, "publisher is not that of the key, %x", m.Publisher)
	}
	var err error
	if t.Sig == "" {
		m.Signature, err = key.Sign(payload)
		return m, err
	}
	if m.Signature, err = hexField("sig", t.Sig, nxs.SignatureSize); err != nil {
		return m, err
	}
	if !public.Signed(payload, m.Signature) {
		return m, refusal.New(refusal.InvalidSignature, "sig is not the key's signature over the payload")
	}
	return m, nil
}

// hexField reads a field of size bytes.
func hexField(name, text string, size int) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != size {
		return nil, refusal.New(refusal.BadMetadata, "%s is not %d hex digits", name, 2*size)
	}
	return raw, nil
}
