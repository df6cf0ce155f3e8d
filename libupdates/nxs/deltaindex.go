package nxs

import (
	"errors"
	"fmt"

	"capnproto.org/go/capnp/v3"

	schema "nexus/capnpgen/delta"
	"nexus/libupdates/delta"
	"nexus/libupdates/message"
	"nexus/libupdates/refusal"
)

// A Way says where the bytes of a payload come from.
type Way uint8

// The ways.
const (
	Whole Way = iota + 1 // the delta holds them
	Held                 // the device holds this payload
	Patch                // a patch makes them from a payload that the device holds, or from nothing
)

// A Making says how a delta makes one payload.
type Making struct {
	Way       Way
	Base      Digest      // of the payload that a patch changes
	PatchSize int64       // bytes
	Patch     delta.Patch // what to know to apply it
}

// A DeltaIndex is the index of a delta (schema/delta.capnp).
type DeltaIndex struct {
	Set     Digest   // of the index of the set that it makes
	Makings []Making // one for each bundle of the set
}

// deltaContext precedes the index of a delta in the message that is signed.
const deltaContext = "nexus delta 1\x00"

// DeltaMessage returns what is signed of a delta.
func DeltaMessage(rawDelta []byte) []byte { return append([]byte(deltaContext), rawDelta...) }

// Encode returns the canonical encoding of the index of a delta.
func (x DeltaIndex) Encode() ([]byte, error) {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	root, err := schema.NewRootDeltaIndex(seg)
	if err == nil {
		err = x.fill(root)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot encode index of delta: %w", err)
	}
	return message.Canonical(capnp.Struct(root))
}

func (x DeltaIndex) fill(root schema.DeltaIndex) error {
	root.SetSchemaVersion(schemaVersion)
	if err := root.SetIndexSha256(x.Set[:]); err != nil {
		return err
	}
	list, err := root.NewPayloads(int32(len(x.Makings)))
	if err != nil {
		return err
	}
	for i, m := range x.Makings {
		p := list.At(i)
		p.SetWay(schema.Way(m.Way))
		if m.Way != Patch {
			continue
		}
		p.SetBaseSize(uint64(m.Patch.OldSize))
		p.SetPatchSize(uint64(m.PatchSize))
		p.SetBlockSize(uint64(m.Patch.First.Size))
		if err := errors.Join(p.SetBaseSha256(m.Base[:]), p.SetBlockSha256(m.Patch.First.Digest[:])); err != nil {
			return err
		}
	}
	return nil
}

// ParseDeltaIndex parses the index of a delta that makes the set of this head. Its bytes have been verified. Refusals:
// IndexTooLarge, BadSchemaVersion, BadIndex.
func ParseDeltaIndex(raw []byte, set *Head) (DeltaIndex, error) {
	var x DeltaIndex
	if len(raw) > MaxIndex {
		return x, refusal.New(refusal.IndexTooLarge, "index of %d bytes is over the limit of %d", len(raw), MaxIndex)
	}
	msg, err := message.Open(raw)
	if err != nil {
		return x, badDelta(err)
	}
	root, err := schema.ReadRootDeltaIndex(msg)
	if err == nil && !root.IsValid() {
		err = errors.New("it has no root struct")
	}
	if err != nil {
		return x, badDelta(err)
	}
	if v := root.SchemaVersion(); v != schemaVersion {
		return x, refusal.New(refusal.BadSchemaVersion, "schema version of the delta's index is %d, not %d", v,
			schemaVersion)
	}
	if err := message.Pointers(capnp.Struct(root), message.ToData, message.ToList); err != nil {
		return x, badDelta(err)
	}
	if x, err = readDeltaIndex(root, set); err != nil {
		return x, badDelta(err)
	}
	return x, nil
}

func badDelta(cause error) error {
	return refusal.New(refusal.BadIndex, "bad index of the delta: %v", cause)
}

func readDeltaIndex(root schema.DeltaIndex, set *Head) (DeltaIndex, error) {
	var x DeltaIndex
	digest, err := root.IndexSha256()
	if err != nil {
		return x, err
	}
	if string(digest) != string(set.Digest[:]) {
		return x, errors.New("it is of another set")
	}
	x.Set = set.Digest
	list, err := root.Payloads()
	if err != nil {
		return x, err
	}
	if list.Len() != len(set.Index.Bundles) {
		return x, fmt.Errorf("it has %d payloads, the set has %d bundles", list.Len(), len(set.Index.Bundles))
	}
	for i, e := range set.Index.Bundles {
		m, err := readMaking(list.At(i), e)
		if err != nil {
			return x, fmt.Errorf("%s: %w", e.Name, err)
		}
		x.Makings = append(x.Makings, m)
	}
	return x, nil
}

func readMaking(p schema.DeltaPayload, e Entry) (Making, error) {
	m := Making{Way: Way(p.Way())}
	if m.Way < Whole || p.Way() > schema.Way_patch {
		return m, fmt.Errorf("way %d is not known", p.Way())
	}
	if m.Way != Patch {
		return m, nil
	}
	if err := message.Pointers(capnp.Struct(p), message.ToData, message.ToData); err != nil {
		return m, err
	}
	base, err := p.BaseSha256()
	if err != nil {
		return m, err
	}
	block, err := p.BlockSha256()
	if err != nil {
		return m, err
	}
	switch {
	case len(base) != len(m.Base) || len(block) != len(m.Patch.First.Digest):
		return m, errors.New("a digest does not have 32 bytes")
	case p.BaseSize() > MaxPolicy:
		return m, fmt.Errorf("a base of %d bytes is over the limit of the format", p.BaseSize())
	case p.PatchSize() >= uint64(e.PayloadSize):
		return m, fmt.Errorf("a patch of %d bytes makes a payload of %d", p.PatchSize(), e.PayloadSize)
	case p.BlockSize() > p.PatchSize():
		return m, fmt.Errorf("a block of %d bytes is in a patch of %d", p.BlockSize(), p.PatchSize())
	}
	copy(m.Base[:], base)
	m.PatchSize = int64(p.PatchSize())
	m.Patch = delta.Patch{OldSize: int64(p.BaseSize()), NewSize: e.PayloadSize}
	m.Patch.First.Size = int64(p.BlockSize())
	copy(m.Patch.First.Digest[:], block)
	return m, nil
}
