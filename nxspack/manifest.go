package nxspack

import (
	"encoding/hex"
	"slices"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// manifestToml is manifest.toml. Publisher and Sig are hex; if they are missing, they are computed from the key.
type manifestToml struct {
	Name      string   `toml:"name"`
	Version   string   `toml:"version"`
	Abilities []string `toml:"abilities"`
	Caps      []string `toml:"caps"`
	MinSDK    string   `toml:"min_sdk"`
	Publisher string   `toml:"publisher"`
	Sig       string   `toml:"sig"`

	Args        []string `toml:"args"`
	Environment []string `toml:"environment"` // NAME=value
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
	if err := decodeToml(text, &meta, "name", "version"); err != nil {
		return meta, err
	}
	return meta, meta.check(text)
}

// check refuses a power or a variable that cannot be parsed, with its place in the text.
func (t manifestToml) check(text []byte) error {
	for i, capability := range t.Caps {
		if !powers.IsPower(capability) {
			continue
		}
		if _, err := powers.ParseAll(powers.Among(t.Caps[:i+1])); err != nil {
			return located(text, "caps", capability, err)
		}
	}
	m := nxb.Manifest{Capabilities: t.Caps}
	for i, variable := range t.Environment {
		err := nxb.CheckEnvironment(t.Environment[:i+1])
		if err == nil {
			err = m.CheckReferences(variable)
		}
		if err != nil {
			return located(text, "environment", variable, refusal.New(refusal.BadMetadata, "%v", err))
		}
	}
	for _, argument := range t.Args {
		if err := m.CheckReferences(argument); err != nil {
			return located(text, "args", argument, refusal.New(refusal.BadMetadata, "%v", err))
		}
	}
	return nil
}

// makeData makes it the manifest of a data bundle, unless it says that it is something else.
func (t *manifestToml) makeData() error {
	if len(t.Abilities) == 0 {
		t.Abilities = []string{nxb.AbilityData}
	}
	if !slices.Contains(t.Abilities, nxb.AbilityData) {
		return refusal.New(refusal.BadMetadata, "abilities does not have %s, which --tree makes", nxb.AbilityData)
	}
	if len(t.Caps)+len(t.Args)+len(t.Environment) > 0 {
		return refusal.New(refusal.BadMetadata, "a data bundle runs nothing: it has no caps, args or environment")
	}
	return nil
}

// of returns the manifest of a payload without publisher and signature.
func (t manifestToml) of(p content) nxb.Manifest {
	return nxb.Manifest{
		Name:          t.Name,
		Version:       t.Version,
		Abilities:     t.Abilities,
		Capabilities:  t.Caps,
		MinSDK:        t.MinSDK,
		PayloadDigest: p.digest[:],
		PayloadSize:   uint64(p.message.Size()),
		Args:          t.Args,
		Environment:   t.Environment,
	}
}

// unsigned returns the manifest of a payload with zeros as publisher and signature.
func (t manifestToml) unsigned(p content) (nxb.Manifest, error) {
	if t.Publisher != "" || t.Sig != "" {
		return nxb.Manifest{}, refusal.New(refusal.BadMetadata,
			"it has a publisher or a sig, which --unsigned would omit")
	}
	m := t.of(p)
	m.Signature = noSignature()
	return m, nil
}

// signed returns the manifest of a payload that was signed elsewhere. Its signature cannot be checked here without the
// publisher's key.
func (t manifestToml) signed(p content) (nxb.Manifest, error) {
	if t.Publisher == "" || t.Sig == "" {
		err := refusal.New(refusal.BadMetadata, "keys publisher and sig are missing")
		return nxb.Manifest{}, hinted{err, "name the key to sign with: --key KEY"}
	}
	publisher, err := hexField("publisher", t.Publisher, len(nxb.Manifest{}.Publisher))
	if err != nil {
		return nxb.Manifest{}, err
	}
	m := t.of(p)
	m.Publisher = [16]byte(publisher)
	m.Signature, err = hexField("sig", t.Sig, nxs.SignatureSize)
	return m, err
}

// sign returns the manifest of a payload, signed with the key. A publisher or signature in the file must match the key.
func (t manifestToml) sign(p content, key trust.Signer) (nxb.Manifest, error) {
	if t.Sig != "" {
		signature, err := hexField("sig", t.Sig, nxs.SignatureSize)
		if err != nil {
			return nxb.Manifest{}, err
		}
		return t.signedBy(p, key.Public(), signature)
	}
	m, err := t.by(p, key.Public())
	if err != nil {
		return m, err
	}
	m.Signature, err = key.SignFrom(p.message)
	return m, err
}

// signedBy returns the manifest of a payload with a signature by that key. The signature must be valid.
func (t manifestToml) signedBy(p content, key trust.PublicKey, signature []byte) (nxb.Manifest, error) {
	m, err := t.by(p, key)
	if err != nil {
		return m, err
	}
	m.Signature = signature
	ok, err := key.SignedFrom(p.message, signature)
	if err == nil && !ok {
		err = refusal.New(refusal.InvalidSignature, "the signature is not that of %s over the payload", key)
		err = hinted{err, "it must be over the raw bytes of the payload, as `openssl pkeyutl -sign -rawin` makes it"}
	}
	return m, err
}

// by returns the manifest of a payload without the signature. A publisher in the file must match the key.
func (t manifestToml) by(p content, key trust.PublicKey) (nxb.Manifest, error) {
	m := t.of(p)
	m.Publisher = key.ID()
	if t.Publisher != "" && !strings.EqualFold(t.Publisher, hex.EncodeToString(m.Publisher[:])) {
		return m, refusal.New(refusal.PublisherMismatch, "publisher is not that of the key, %x", m.Publisher)
	}
	return m, nil
}

// hexField parses a field of size bytes, in hex.
func hexField(name, text string, size int) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != size {
		return nil, refusal.New(refusal.BadMetadata, "%s is not %d hex digits", name, 2*size)
	}
	return raw, nil
}
