package nxs

import (
	"errors"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/systemset"
	"nexus/libupdates/message"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// schemaVersion is the only schema version that this reader supports.
const schemaVersion = 1

// An Index is the index of a set (schema/systemset.capnp).
type Index struct {
	SystemVersion   string          // SemVer
	Publisher       trust.PublicKey // the key that signed the set
	TimestampUnixMs uint64          // milliseconds since 1970 UTC; 0 if not set
	Bundles         []Entry         // in strictly ascending byte order of their names
	Health          Health          // the publisher's policy for trials
	// VersionFloor is a SemVer. Once this set is committed, older versions are refused. Empty means no floor.
	VersionFloor string
	// ExpiresUnixMs is until when the set may be installed, in milliseconds since 1970 UTC. 0 means no limit.
	ExpiresUnixMs uint64
}

// An Entry describes one bundle of a set and binds it by digest.
type Entry struct {
	Name           string
	Version        string // SemVer
	ManifestSHA256 Digest
	PayloadSHA256  Digest
	PayloadSize    int64    // bytes
	Optional       bool     // a commit does not need its service, which counts only towards the quorum
	Powers         []string // that it asks for, as in its manifest
	PayloadVerity  Digest   // the fs-verity digest of the payload; zero in older sets
}

// Encode returns the canonical encoding of the index: the same index gives the same bytes.
func (x Index) Encode() ([]byte, error) {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	root, err := systemset.NewRootSystemSetIndex(seg)
	if err == nil {
		err = x.fill(root)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot encode index: %w", err)
	}
	return message.Canonical(capnp.Struct(root))
}

func (x Index) fill(root systemset.SystemSetIndex) error {
	root.SetSchemaVersion(schemaVersion)
	root.SetTimestampUnixMs(x.TimestampUnixMs)
	root.SetExpiresUnixMs(x.ExpiresUnixMs)
	if err := errors.Join(root.SetSystemVersion(x.SystemVersion), root.SetPublisher(x.Publisher[:])); err != nil {
		return err
	}
	list, err := root.NewBundles(int32(len(x.Bundles)))
	if err != nil {
		return err
	}
	for i, entry := range x.Bundles {
		if err := entry.fill(list.At(i)); err != nil {
			return err
		}
	}
	if err := root.SetVersionFloor(x.VersionFloor); err != nil {
		return err
	}
	if x.Health == (Health{}) {
		return nil // keeps the bytes of sets without a policy as they were before policies existed
	}
	if err := x.Health.Check(x.Bundles); err != nil {
		return err
	}
	policy, err := root.NewHealth()
	if err == nil {
		x.Health.fill(policy)
	}
	return err
}

func (e Entry) fill(m systemset.BundleEntry) error {
	m.SetPayloadSize(uint64(e.PayloadSize))
	m.SetOptional(e.Optional)
	if err := errors.Join(m.SetName(e.Name), m.SetVersion(e.Version),
		m.SetManifestSha256(e.ManifestSHA256[:]), m.SetPayloadSha256(e.PayloadSHA256[:])); err != nil {
		return err
	}
	if !e.PayloadVerity.IsZero() {
		if err := m.SetPayloadVerity(e.PayloadVerity[:]); err != nil {
			return err
		}
	}
	return e.fillPowers(m)
}

// fillPowers leaves out an empty list: that keeps the bytes of sets as they were before there were powers.
func (e Entry) fillPowers(m systemset.BundleEntry) error {
	if len(e.Powers) == 0 {
		return nil
	}
	list, err := m.NewPowers(int32(len(e.Powers)))
	for i, power := range e.Powers {
		if err == nil {
			err = list.Set(i, power)
		}
	}
	return err
}

// ParseIndex parses an index whose bytes have been verified. It accepts every valid encoding and ignores unknown
// fields. Refusals: IndexTooLarge, BadSchemaVersion, TooManyBundles, BadBundleName, BadVersion, BadIndex.
func ParseIndex(raw []byte) (Index, error) {
	if len(raw) > MaxIndex {
		return Index{}, refusal.New(refusal.IndexTooLarge, "index of %d bytes is over the limit of %d", len(raw),
			MaxIndex)
	}
	msg, err := message.Open(raw)
	if err != nil {
		return Index{}, badIndex(err)
	}
	root, err := systemset.ReadRootSystemSetIndex(msg)
	if err != nil {
		return Index{}, badIndex(err)
	}
	if !root.IsValid() {
		return Index{}, badIndex(errors.New("it has no root struct"))
	}
	if v := root.SchemaVersion(); v != schemaVersion {
		return Index{}, refusal.New(refusal.BadSchemaVersion, "schema version of the index is %d, not %d", v,
			schemaVersion)
	}
	if err := message.Pointers(capnp.Struct(root), message.ToText, message.ToData, message.ToList, message.ToStruct,
		message.ToText); err != nil {
		return Index{}, badIndex(err)
	}
	return readIndex(root)
}

func badIndex(cause error) error { return refusal.New(refusal.BadIndex, "bad index: %v", cause) }

func readIndex(root systemset.SystemSetIndex) (Index, error) {
	x := Index{TimestampUnixMs: root.TimestampUnixMs()}
	version, err := root.SystemVersion()
	if x.SystemVersion, err = message.Text(version, err, maxText); err != nil {
		return Index{}, badIndex(err)
	}
	if err := nxb.CheckVersion(x.SystemVersion); err != nil {
		return Index{}, err
	}
	publisher, err := root.Publisher()
	if err != nil {
		return Index{}, badIndex(err)
	}
	if len(publisher) != len(x.Publisher) {
		return Index{}, badIndex(fmt.Errorf("publisher has %d bytes, want %d", len(publisher), len(x.Publisher)))
	}
	copy(x.Publisher[:], publisher)
	list, err := root.Bundles()
	if err != nil {
		return Index{}, badIndex(err)
	}
	if x.Bundles, err = readEntries(list); err != nil {
		return Index{}, err
	}
	policy, err := root.Health()
	if err != nil {
		return Index{}, badIndex(err)
	}
	if x.Health, err = readHealth(policy, x.Bundles); err != nil {
		return Index{}, err
	}
	if x.VersionFloor, err = readFloor(root, x.SystemVersion); err != nil {
		return Index{}, err
	}
	x.ExpiresUnixMs = root.ExpiresUnixMs()
	if x.ExpiresUnixMs != 0 && x.ExpiresUnixMs <= x.TimestampUnixMs {
		return Index{}, badIndex(errors.New("the set expires before it is made"))
	}
	return x, nil
}

// maxText bounds the length of any text in an index, in bytes, before the rule for its field is applied.
const maxText = 256

func readEntries(list systemset.BundleEntry_List) ([]Entry, error) {
	switch n := list.Len(); {
	case n == 0:
		return nil, refusal.New(refusal.BadIndex, "the index names no bundle")
	case n > MaxBundles:
		return nil, refusal.New(refusal.TooManyBundles, "%d bundles are over the limit of %d", n, MaxBundles)
	}
	entries := make([]Entry, list.Len())
	for i := range entries {
		entry, err := readEntry(list.At(i))
		if err != nil {
			return nil, err
		}
		if i > 0 && entries[i-1].Name >= entry.Name {
			return nil, refusal.New(refusal.BadIndex, "bundles %q and %q are not in ascending order", entries[i-1].Name,
				entry.Name)
		}
		entries[i] = entry
	}
	return entries, nil
}

func readEntry(m systemset.BundleEntry) (Entry, error) {
	e := Entry{Optional: m.Optional()}
	name, err := m.Name()
	if e.Name, err = message.Text(name, err, maxText); err != nil {
		return e, badIndex(err)
	}
	if err := nxb.CheckName(e.Name); err != nil {
		return e, err
	}
	version, err := m.Version()
	if e.Version, err = message.Text(version, err, maxText); err != nil {
		return e, badIndex(err)
	}
	if err := nxb.CheckVersion(e.Version); err != nil {
		return e, err
	}
	if m.PayloadSize() > MaxPolicy {
		return e, refusal.New(refusal.PayloadTooLarge, "payload of %s is %d bytes, over the limit of the format",
			e.Name, m.PayloadSize())
	}
	e.PayloadSize = int64(m.PayloadSize())
	manifest, err := m.ManifestSha256()
	if err != nil {
		return e, badIndex(err)
	}
	payload, err := m.PayloadSha256()
	if err != nil {
		return e, badIndex(err)
	}
	if len(manifest) != len(e.ManifestSHA256) || len(payload) != len(e.PayloadSHA256) {
		return e, badIndex(fmt.Errorf("a digest of %s does not have 32 bytes", e.Name))
	}
	copy(e.ManifestSHA256[:], manifest)
	copy(e.PayloadSHA256[:], payload)
	if err := message.Pointers(capnp.Struct(m), message.ToText, message.ToText, message.ToData, message.ToData,
		message.ToList, message.ToData); err != nil {
		return e, badIndex(err)
	}
	if e.PayloadVerity, err = readVerity(m); err != nil {
		return e, err
	}
	e.Powers, err = readPowers(m)
	return e, err
}

// readVerity reads a digest that sets did not have before it was introduced.
func readVerity(m systemset.BundleEntry) (d Digest, err error) {
	raw, err := m.PayloadVerity()
	switch {
	case err != nil:
		return d, badIndex(err)
	case len(raw) == 0:
		return d, nil
	case len(raw) == len(d):
		copy(d[:], raw)
	}
	if d.IsZero() {
		return d, refusal.New(refusal.BadIndex, "bad index: a fs-verity digest is not 32 bytes, or all of them are zero")
	}
	return d, nil
}

// readPowers reads what a bundle asks for. What a power is, only the system knows that runs the bundle.
func readPowers(m systemset.BundleEntry) ([]string, error) {
	list, err := m.Powers()
	if err == nil && list.Len() > nxb.MaxListed {
		err = fmt.Errorf("a bundle asks for %d powers, want at most %d", list.Len(), nxb.MaxListed)
	}
	if err != nil {
		return nil, badIndex(err)
	}
	var texts []string
	for i := range list.Len() {
		text, err := list.At(i)
		if text, err = message.Text(text, err, nxb.MaxListedText); err != nil {
			return nil, badIndex(err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}
