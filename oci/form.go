package oci

import (
	"encoding/json"
	"path"
	"strings"

	godigest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Media types. A manifest names that of a set or delta twice: as its artifact type, where registries of OCI 1.1 look,
// and as the type of its config, where those of OCI 1.0 do. So one manifest serves both.
const (
	TypeSet            = "application/vnd.nexus.system-set.v1+json"
	TypeRoots          = "application/vnd.nexus.system-set.roots.v1"
	TypeIndex          = "application/vnd.nexus.system-set.index.v1"
	TypeSignature      = "application/vnd.nexus.system-set.signature.v1"
	TypeSignatures     = "application/vnd.nexus.system-set.signatures.v1"
	TypeManifest       = "application/vnd.nexus.bundle.manifest.v1"
	TypePayload        = "application/vnd.nexus.bundle.payload.v1"
	TypeDelta          = "application/vnd.nexus.system-delta.v1+json"
	TypeDeltaIndex     = "application/vnd.nexus.system-delta.index.v1"
	TypeDeltaSignature = "application/vnd.nexus.system-delta.signature.v1"
	TypePatch          = "application/vnd.nexus.bundle.patch.v1"
)

// Annotations of a manifest. They are for people and tools: nothing is decided by them.
const (
	AnnotationVersion   = ocispec.AnnotationVersion
	AnnotationIndex     = "nexus.index.sha256"
	AnnotationPublisher = "nexus.publisher"
	AnnotationBase      = "nexus.base.sha256" // of the layer of a patch: the payload that it changes
)

// Bounds of a manifest. A set of 256 bundles needs less than 256 KiB.
const (
	maxManifest = 1 << 20
	maxEntries  = 4 + 2*nxs.MaxBundles
	maxSmall    = 1 << 20 // every entry but a payload fits
)

// emptyConfig is the content of the config of every set and delta.
const emptyConfig = "{}"

// An Entry is an entry of the archive of a set or delta, and a blob of a registry.
type Entry struct {
	Name   string
	Size   int64
	Digest nxs.Digest
	Base   nxs.Digest // of a patch: the payload that it changes, or zero if it makes one from nothing
}

// payload reports whether the signed index has the digest of the entry, so that reading the archive checks it.
func (e Entry) payload() bool { return path.Base(e.Name) == nxb.PayloadFile }

// patch reports whether the entry is a patch. Each block of it is named by the one before, the first by a signed index.
func (e Entry) patch() bool { return path.Base(e.Name) == nxs.PatchFile }

func (e Entry) mediaType() string {
	switch e.Name {
	case nxs.RootsName:
		return TypeRoots
	case nxs.IndexName:
		return TypeIndex
	case nxs.SignatureName:
		return TypeSignature
	case nxs.SignaturesName:
		return TypeSignatures
	case nxs.DeltaName:
		return TypeDeltaIndex
	case nxs.DeltaSignatureName:
		return TypeDeltaSignature
	}
	switch {
	case e.payload():
		return TypePayload
	case e.patch():
		return TypePatch
	}
	return TypeManifest
}

func (e Entry) descriptor() ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: e.mediaType(), Digest: digestText(e.Digest), Size: e.Size,
		Annotations: map[string]string{ocispec.AnnotationTitle: e.Name}}
	if e.Base != (nxs.Digest{}) {
		d.Annotations[AnnotationBase] = e.Base.String()
	}
	return d
}

// digestOf returns the digest that a text names.
func digestOf(text godigest.Digest) (nxs.Digest, error) {
	sum, _ := strings.CutPrefix(text.String(), "sha256:")
	return nxs.ParseDigest(sum)
}

func digestText(d nxs.Digest) godigest.Digest { return godigest.Digest("sha256:" + d.String()) }

// manifestOf returns the manifest of a set, or of a delta that makes the set whose manifest is the subject. The same
// entries always give the same bytes.
func manifestOf(kind string, subject *ocispec.Descriptor, index nxs.Index, digest nxs.Digest,
	entries []Entry) ([]byte, error) {
	m := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: kind,
		Config: ocispec.Descriptor{MediaType: kind, Digest: godigest.FromString(emptyConfig),
			Size: int64(len(emptyConfig))},
		Subject: subject,
		Annotations: map[string]string{
			AnnotationVersion:   index.SystemVersion,
			AnnotationIndex:     digest.String(),
			AnnotationPublisher: index.Publisher.String(),
		},
	}
	for _, e := range entries {
		m.Layers = append(m.Layers, e.descriptor())
	}
	return json.Marshal(m)
}

// manifestDescriptor is the descriptor of a manifest.
func manifestDescriptor(raw []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: godigest.FromBytes(raw),
		Size: int64(len(raw))}
}

// entriesOf parses the manifest of a set, or of a delta. Refusal: NotASet.
func entriesOf(kind string, raw []byte) ([]Entry, error) {
	var m ocispec.Manifest
	if json.Unmarshal(raw, &m) != nil || m.MediaType != ocispec.MediaTypeImageManifest {
		return nil, notASet("there is no OCI image manifest")
	}
	if m.ArtifactType != kind && m.Config.MediaType != kind {
		return nil, notASet("its type is %.80q", m.ArtifactType)
	}
	if len(m.Layers) > maxEntries {
		return nil, notASet("it has %d layers, the limit is %d", len(m.Layers), maxEntries)
	}
	var entries []Entry
	for _, layer := range m.Layers {
		name := layer.Annotations[ocispec.AnnotationTitle]
		sum, err := digestOf(layer.Digest)
		if err != nil {
			return nil, notASet("the layer %.80q has no SHA-256", name)
		}
		e := Entry{Name: name, Size: layer.Size, Digest: sum}
		if base, err := nxs.ParseDigest(layer.Annotations[AnnotationBase]); err == nil {
			e.Base = base
		}
		if layer.MediaType != e.mediaType() {
			return nil, notASet("the layer %.80q has the type %.80q", name, layer.MediaType)
		}
		if !e.payload() && !e.patch() && e.Size > maxSmall {
			return nil, notASet("the layer %.80q of %d bytes is over the limit of %d", name, e.Size, int64(maxSmall))
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func notASet(format string, args ...any) error {
	return refusal.New(refusal.NotASet, "it is not a system set: "+format, args...)
}
