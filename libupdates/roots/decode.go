package roots

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"capnproto.org/go/capnp/v3"

	format "nexus/capnpgen/trust"
	"nexus/libupdates/message"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Parse parses a document whose bytes have been verified. It accepts every valid encoding and ignores unknown fields.
// Refusals: BadRoot, BadSchemaVersion, and those of Check.
func Parse(document []byte) (Root, error) {
	if len(document) > MaxDocument {
		return Root{}, bad("%d bytes are over the limit of %d", len(document), MaxDocument)
	}
	raw, tagged := bytes.CutPrefix(document, []byte(tag))
	if !tagged {
		return Root{}, bad("it does not begin with %s", tag)
	}
	msg, err := message.Open(raw)
	if err != nil {
		return Root{}, bad("%v", err)
	}
	doc, err := format.ReadRootRootDocument(msg)
	if err != nil {
		return Root{}, bad("%v", err)
	}
	if !doc.IsValid() {
		return Root{}, bad("it has no root struct")
	}
	if v := doc.SchemaVersion(); v != schemaVersion {
		return Root{}, refusal.New(refusal.BadSchemaVersion, "schema version of the root is %d, not %d", v,
			schemaVersion)
	}
	r, err := read(doc)
	if err != nil {
		return Root{}, bad("%v", err)
	}
	if err := r.Check(); err != nil {
		return Root{}, err
	}
	return r, nil
}

// maxText bounds the length of any text in bytes, before the rule for its field is applied.
const maxText = 256

func read(doc format.RootDocument) (Root, error) {
	r := Root{Version: doc.Version(), Issued: doc.IssuedUnixMs(), Expires: doc.ExpiresUnixMs(),
		ResetsTime: doc.ResetsTime()}
	if err := message.Pointers(capnp.Struct(doc), message.ToText, message.ToList, message.ToList, message.ToList,
		message.ToList, message.ToList); err != nil {
		return r, err
	}
	family, err := doc.Family()
	if r.Family, err = message.Text(family, err, maxText); err != nil {
		return r, err
	}
	for _, part := range []func(*Root, format.RootDocument) error{readKeys, readGrants, readRevokedKeys,
		readRevokedSets, readMinimums} {
		if err := part(&r, doc); err != nil {
			return r, err
		}
	}
	return r, nil
}

// few refuses a list that is over its limit before anything of it is read.
func few(n, limit int) error {
	if n > limit {
		return errors.New("a list is over its limit")
	}
	return nil
}

func readKeys(r *Root, doc format.RootDocument) error {
	list, err := doc.Keys()
	if err == nil {
		err = few(list.Len(), MaxKeys)
	}
	if err != nil {
		return err
	}
	for i := range list.Len() {
		k := Key{}
		if k.Public, err = keyIn(list.At(i).PublicKey()); err != nil {
			return err
		}
		name, err := list.At(i).Name()
		if k.Name, err = message.Text(name, err, maxText); err != nil {
			return err
		}
		r.Keys = append(r.Keys, k)
	}
	return nil
}

func keyIn(raw []byte, err error) (trust.PublicKey, error) {
	if err == nil && len(raw) != len(trust.PublicKey{}) {
		err = errors.New("a key does not have 32 bytes")
	}
	if err != nil {
		return trust.PublicKey{}, err
	}
	return trust.PublicKey(raw), nil
}

func readGrants(r *Root, doc format.RootDocument) error {
	list, err := doc.Grants()
	if err == nil {
		err = few(list.Len(), MaxGrants)
	}
	if err != nil {
		return err
	}
	for i := range list.Len() {
		g, err := readGrant(*r, list.At(i))
		if err != nil {
			return err
		}
		r.Grants = append(r.Grants, g)
	}
	return nil
}

func readGrant(r Root, from format.Grant) (Grant, error) {
	g := Grant{Threshold: int(from.Threshold()), Expires: from.ExpiresUnixMs()}
	if err := message.Pointers(capnp.Struct(from), message.ToText, message.ToList, message.ToList); err != nil {
		return g, err
	}
	role, err := from.Role()
	if role, err = message.Text(role, err, maxText); err != nil {
		return g, err
	}
	g.Role = trust.Role(role)
	keys, err := from.Keys()
	if err == nil {
		err = few(keys.Len(), MaxKeys)
	}
	if err != nil {
		return g, err
	}
	for i := range keys.Len() {
		at := int(keys.At(i))
		if at >= len(r.Keys) {
			return g, errors.New("a grant is for a key that the root does not have")
		}
		g.Keys = append(g.Keys, r.Keys[at].Public)
	}
	names, err := from.Names()
	if err == nil {
		err = few(names.Len(), MaxNames)
	}
	if err != nil {
		return g, err
	}
	for i := range names.Len() {
		name, err := names.At(i)
		if name, err = message.Text(name, err, maxText); err != nil {
			return g, err
		}
		g.Names = append(g.Names, name)
	}
	return g, nil
}

func readRevokedKeys(r *Root, doc format.RootDocument) error {
	list, err := doc.RevokedKeys()
	if err == nil {
		err = few(list.Len(), MaxRevokedKeys)
	}
	if err != nil {
		return err
	}
	for i := range list.Len() {
		key, err := keyIn(list.At(i))
		if err != nil {
			return err
		}
		r.RevokedKeys = append(r.RevokedKeys, key)
	}
	return nil
}

func readRevokedSets(r *Root, doc format.RootDocument) error {
	list, err := doc.RevokedSets()
	if err == nil {
		err = few(list.Len(), MaxRevokedSets)
	}
	if err != nil {
		return err
	}
	for i := range list.Len() {
		raw, err := list.At(i)
		if err == nil && len(raw) != sha256.Size {
			err = errors.New("a digest does not have 32 bytes")
		}
		if err != nil {
			return err
		}
		r.RevokedSets = append(r.RevokedSets, Digest(raw))
	}
	return nil
}

func readMinimums(r *Root, doc format.RootDocument) error {
	list, err := doc.MinimumVersions()
	if err == nil {
		err = few(list.Len(), MaxMinimums)
	}
	if err != nil {
		return err
	}
	for i := range list.Len() {
		m := Minimum{}
		name, err := list.At(i).Name()
		if m.Name, err = message.Text(name, err, maxText); err != nil {
			return err
		}
		version, err := list.At(i).Version()
		if m.Version, err = message.Text(version, err, maxText); err != nil {
			return err
		}
		r.Minimums = append(r.Minimums, m)
	}
	return nil
}
