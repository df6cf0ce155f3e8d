package oci

import (
	"crypto"
	_ "crypto/sha256" // digests in references
	"net/netip"
	"net/url"
	"strings"

	"oras.land/oras-go/v2/registry"

	"nexus/libupdates/refusal"
)

// Scheme begins the text of every Reference.
const Scheme = "oci://"

// A Reference names a set in a registry: by a tag, which may move, or by the digest of its manifest.
type Reference struct{ name registry.Reference }

// Parse parses a reference of the form oci://HOST[:PORT]/NAME:TAG or oci://HOST[:PORT]/NAME@sha256:DIGEST. The refusal,
// BadReference, does not repeat the text, because some people put passwords there.
func Parse(text string) (Reference, error) {
	inside, ok := strings.CutPrefix(text, Scheme)
	name, err := registry.ParseReference(inside)
	if !ok || err != nil || name.Reference == "" || !crypto.SHA256.Available() {
		return Reference{}, refusal.New(refusal.BadReference,
			"the reference is not of the form oci://HOST[:PORT]/NAME:TAG or oci://HOST[:PORT]/NAME@sha256:DIGEST")
	}
	if digest, err := name.Digest(); err == nil && digest.Algorithm() != "sha256" {
		return Reference{}, refusal.New(refusal.BadReference, "the digest of the reference is not a SHA-256")
	}
	return Reference{name}, nil
}

// String returns the text of the reference.
func (r Reference) String() string { return Scheme + r.name.String() }

// byDigest reports whether the reference names one manifest for ever.
func (r Reference) byDigest() bool { return r.name.ValidateReferenceAsDigest() == nil }

// local reports whether the registry is on this machine.
func (r Reference) local() bool {
	u := url.URL{Host: r.name.Host()}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
