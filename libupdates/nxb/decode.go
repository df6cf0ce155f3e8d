package nxb

import (
	"bytes"
	"errors"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/manifest"
	"nexus/libupdates/message"
	"nexus/libupdates/refusal"
)

// schemaVersion is the only schema version that this reader supports.
const schemaVersion = 1

// ParseManifest parses a manifest whose bytes have been verified. It accepts every valid encoding and ignores unknown
// fields. Refusals: ManifestTooLarge, BadSchemaVersion, BadBundleName, BadVersion, BadManifest.
func ParseManifest(raw []byte) (Manifest, error) {
	if len(raw) > MaxManifest {
		return Manifest{}, refusal.New(refusal.ManifestTooLarge, "manifest of %d bytes is over the limit of %d",
			len(raw), MaxManifest)
	}
	msg, err := message.Open(raw)
	if err != nil {
		return Manifest{}, bad(err)
	}
	root, err := manifest.ReadRootBundleManifest(msg)
	if err != nil {
		return Manifest{}, bad(err)
	}
	if !root.IsValid() {
		return Manifest{}, bad(errors.New("it has no root struct"))
	}
	if v := root.SchemaVersion(); v != schemaVersion {
		return Manifest{}, refusal.New(refusal.BadSchemaVersion, "schema version of the manifest is %d, not %d", v,
			schemaVersion)
	}
	err = message.Pointers(capnp.Struct(root), message.ToText, message.ToText, message.ToList, message.ToList,
		message.ToText, message.ToData, message.ToData, message.ToData, message.ToList, message.ToList)
	if err != nil {
		return Manifest{}, bad(err)
	}
	m, err := read(root)
	if err != nil {
		return Manifest{}, bad(err)
	}
	return m, m.check()
}

func bad(cause error) error { return refusal.New(refusal.BadManifest, "bad manifest: %v", cause) }

func read(root manifest.BundleManifest) (m Manifest, err error) {
	text := func(s string, textErr error, limit int) string {
		out, readErr := message.Text(s, textErr, limit)
		if err == nil {
			err = readErr
		}
		return out
	}
	name, nameErr := root.Name()
	m.Name = text(name, nameErr, MaxListedText)
	version, versionErr := root.Semver()
	m.Version = text(version, versionErr, MaxListedText)
	sdk, sdkErr := root.MinSdk()
	m.MinSDK = text(sdk, sdkErr, MaxVersion)
	if err != nil {
		return m, err
	}
	for _, list := range []struct {
		into  *[]string
		read  func() (capnp.TextList, error)
		limit int // bytes of a text
	}{
		{&m.Abilities, root.Abilities, MaxListedText},
		{&m.Capabilities, root.Capabilities, MaxListedText},
		{&m.Args, root.Args, MaxArgument},
		{&m.Environment, root.Environment, MaxArgument},
	} {
		entries, err := list.read()
		if *list.into, err = texts(entries, err, list.limit); err != nil {
			return m, err
		}
	}
	m.PayloadSize = root.PayloadSize()
	return m, readData(root, &m)
}

// readData reads the fields of fixed size.
func readData(root manifest.BundleManifest, m *Manifest) error {
	publisher, err := root.Publisher()
	if err != nil {
		return err
	}
	if len(publisher) != len(m.Publisher) {
		return fmt.Errorf("publisher has %d bytes, want %d", len(publisher), len(m.Publisher))
	}
	copy(m.Publisher[:], publisher)
	signature, err := root.Signature()
	if err != nil {
		return err
	}
	if len(signature) != 64 {
		return fmt.Errorf("signature has %d bytes, want 64", len(signature))
	}
	m.Signature = bytes.Clone(signature)
	digest, err := root.PayloadDigest()
	if err != nil {
		return err
	}
	if len(digest) != 0 && len(digest) != 32 {
		return fmt.Errorf("payload digest has %d bytes, want 32", len(digest))
	}
	if len(digest) == 32 {
		m.PayloadDigest = bytes.Clone(digest)
	}
	return nil
}

// texts reads a list of texts of at most limit bytes. It checks the bounds before it allocates anything.
func texts(list capnp.TextList, err error, limit int) ([]string, error) {
	if err != nil {
		return nil, err
	}
	if list.Len() > MaxListed {
		return nil, fmt.Errorf("a list has %d entries, want at most %d", list.Len(), MaxListed)
	}
	var out []string
	for i := range list.Len() {
		s, err := list.At(i)
		if s, err = message.Text(s, err, limit); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// check checks the fields of the manifest against their rules.
func (m Manifest) check() error {
	if err := CheckName(m.Name); err != nil {
		return err
	}
	if err := CheckVersion(m.Version); err != nil {
		return err
	}
	if err := m.checkLaunch(); err != nil {
		return bad(err)
	}
	if m.MinSDK == "" {
		return nil
	}
	return CheckVersion(m.MinSDK)
}
