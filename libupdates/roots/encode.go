package roots

import (
	"errors"
	"fmt"
	"slices"

	"capnproto.org/go/capnp/v3"

	format "nexus/capnpgen/trust"
	"nexus/libupdates/message"
)

// tag begins every document. A message of any schema begins with its number of segments, which these bytes are not, so
// no signature of a document is one of an index, and none of an index one of a document.
const tag = "nexus-root-doc-1"

// schemaVersion is the only schema version that is supported.
const schemaVersion = 1

// Document returns the bytes that are signed. The same root gives the same bytes. A root that Check refuses is refused.
func (r Root) Document() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	root, err := format.NewRootRootDocument(seg)
	if err == nil {
		err = r.fill(root)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot encode root: %w", err)
	}
	raw, err := message.Canonical(capnp.Struct(root))
	if err != nil {
		return nil, fmt.Errorf("cannot encode root: %w", err)
	}
	if len(tag)+len(raw) > MaxDocument {
		return nil, bad("%d bytes are over the limit of %d", len(tag)+len(raw), MaxDocument)
	}
	return append([]byte(tag), raw...), nil
}

func (r Root) fill(to format.RootDocument) error {
	to.SetSchemaVersion(schemaVersion)
	to.SetVersion(r.Version)
	to.SetIssuedUnixMs(r.Issued)
	to.SetExpiresUnixMs(r.Expires)
	to.SetResetsTime(r.ResetsTime)
	if err := to.SetFamily(r.Family); err != nil {
		return err
	}
	for _, fill := range []func(format.RootDocument) error{r.fillKeys, r.fillGrants, r.fillRevoked, r.fillMinimums} {
		if err := fill(to); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) fillKeys(to format.RootDocument) error {
	list, err := to.NewKeys(int32(len(r.Keys)))
	if err != nil {
		return err
	}
	for i, k := range r.Keys {
		if err := errors.Join(list.At(i).SetPublicKey(k.Public[:]), list.At(i).SetName(k.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) fillGrants(to format.RootDocument) error {
	list, err := to.NewGrants(int32(len(r.Grants)))
	if err != nil {
		return err
	}
	for i, g := range r.Grants {
		if err := r.fillGrant(list.At(i), g); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) fillGrant(to format.Grant, g Grant) error {
	to.SetThreshold(uint16(g.Threshold))
	to.SetExpiresUnixMs(g.Expires)
	if err := to.SetRole(string(g.Role)); err != nil {
		return err
	}
	keys, err := to.NewKeys(int32(len(g.Keys)))
	if err != nil {
		return err
	}
	for i, key := range g.Keys {
		at := slices.IndexFunc(r.Keys, func(k Key) bool { return k.Public == key })
		keys.Set(i, uint16(at))
	}
	names, err := to.NewNames(int32(len(g.Names)))
	if err != nil {
		return err
	}
	for i, name := range g.Names {
		if err := names.Set(i, name); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) fillRevoked(to format.RootDocument) error {
	keys, err := to.NewRevokedKeys(int32(len(r.RevokedKeys)))
	if err != nil {
		return err
	}
	for i, key := range r.RevokedKeys {
		if err := keys.Set(i, key[:]); err != nil {
			return err
		}
	}
	sets, err := to.NewRevokedSets(int32(len(r.RevokedSets)))
	if err != nil {
		return err
	}
	for i, digest := range r.RevokedSets {
		if err := sets.Set(i, digest[:]); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) fillMinimums(to format.RootDocument) error {
	list, err := to.NewMinimumVersions(int32(len(r.Minimums)))
	if err != nil {
		return err
	}
	for i, m := range r.Minimums {
		if err := errors.Join(list.At(i).SetName(m.Name), list.At(i).SetVersion(m.Version)); err != nil {
			return err
		}
	}
	return nil
}
