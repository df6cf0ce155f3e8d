package nxspack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// deltaVerb makes a delta.
type deltaVerb struct {
	Key    string `required:"" placeholder:"KEY" help:"The key of the new set's publisher. ${key}"`
	Output string `required:"" placeholder:"FILE.nxdelta" help:"File for the delta."`
	Old    string `arg:"" help:"The set that the devices have."`
	New    string `arg:"" help:"The set that the delta makes."`
}

// Run makes a delta between two sets. Of each new payload it holds nothing if the old set has it, or a patch, or all
// its bytes, whichever is smallest.
func (v *deltaVerb) Run(ctx context.Context, c *command) error {
	debug.SetGCPercent(gcPercent)
	signer, err := c.signer(ctx, v.Key)
	if err != nil {
		return err
	}
	var made *madeDelta
	err = withSets(ctx, v.Old, v.New, func(old, fresh *openSet) error {
		if made, err = makeDelta(ctx, old, fresh, signer); err != nil {
			return cannot("make", v.Output, err)
		}
		err := c.publishFile(v.Output, func(f *os.File) error { return made.write(f) })
		return cannot("write", v.Output, err)
	})
	if err != nil {
		return err
	}
	return c.answer(made.answer(v.Output), made.text(v.Output))
}

// gcPercent makes the garbage collector run early: what is needed to make a patch is large, and soon garbage.
const gcPercent = 10

// An openSet is a set whose digests have been checked, and its file.
type openSet struct {
	name     string
	file     *os.File
	size     int64
	head     *nxs.Head
	manifest [][]byte
	payloads []payloadPlace
}

// A payloadPlace is a payload in the file of a set.
type payloadPlace struct {
	nxs.Entry
	at int64
}

// openSetFile reads a set and checks its digests. Whether its publisher is trusted does not matter: all that is taken
// from it is taken by digest.
func openSetFile(ctx context.Context, name string) (*openSet, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	s := &openSet{name: name, file: f}
	if err := s.read(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *openSet) read(ctx context.Context) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	s.size = info.Size()
	set := nxs.NewFile(s.file, s.size, formatLimits(), ownPublisher)
	if s.head, err = set.Open(); err != nil {
		return err
	}
	return set.Copy(ctx, func(b *nxs.Bundle) (nxs.WriteFunc, error) {
		s.manifest = append(s.manifest, b.RawManifest)
		s.payloads = append(s.payloads, payloadPlace{b.Entry, b.Offset})
		return nil, nil
	})
}

// ownPublisher accepts the signature of whom the index names.
func ownPublisher(message, signature []byte) (trust.PublicKey, error) {
	claimed, err := nxs.ParseIndex(message)
	if err == nil && !claimed.Publisher.Signed(message, signature) {
		err = refusal.New(refusal.InvalidSignature, "invalid signature")
	}
	return claimed.Publisher, err
}

func (s *openSet) payload(i int) *io.SectionReader {
	return io.NewSectionReader(s.file, s.payloads[i].at, s.payloads[i].PayloadSize)
}

// find returns the payload that has a digest.
func (s *openSet) find(digest nxs.Digest) (io.ReaderAt, int64, error) {
	for i, p := range s.payloads {
		if p.PayloadSHA256 == digest {
			return s.payload(i), p.PayloadSize, nil
		}
	}
	return nil, 0, refusal.New(refusal.MissingBase, "%s has no payload with the digest %s", show(s.name), digest)
}

// withSets opens two sets.
func withSets(ctx context.Context, oldName, newName string, use func(old, fresh *openSet) error) error {
	old, err := openSetFile(ctx, oldName)
	if err != nil {
		return cannot("use", oldName, err)
	}
	defer old.file.Close()
	fresh, err := openSetFile(ctx, newName)
	if err != nil {
		return cannot("use", newName, err)
	}
	defer fresh.file.Close()
	return use(old, fresh)
}

// A madeDelta is a delta that is complete but for being written.
type madeDelta struct {
	old, fresh *openSet
	index      nxs.DeltaIndex
	raw        []byte
	signature  []byte
	sources    []nxs.DeltaSource
	size       int64
}

// makeDelta makes the patches and the signed index of a delta.
func makeDelta(ctx context.Context, old, fresh *openSet, signer trust.Signer) (*madeDelta, error) {
	if signer.Public() != fresh.head.Index.Publisher {
		return nil, refusal.New(refusal.PublisherMismatch, "the key is of %s, but %s signed %s", signer.Public(),
			fresh.head.Index.Publisher, show(fresh.name))
	}
	if err := fresh.plain(); err != nil {
		return nil, err
	}
	m := &madeDelta{old: old, fresh: fresh, index: nxs.DeltaIndex{Set: fresh.head.Digest}}
	for i := range fresh.payloads {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		source, err := m.source(i)
		if err != nil {
			return nil, err
		}
		m.sources = append(m.sources, source)
		m.index.Makings = append(m.index.Makings, source.Making)
	}
	var err error
	if m.raw, err = m.index.Encode(); err != nil {
		return nil, err
	}
	m.signature, err = sign(ctx, signer, nxs.DeltaMessage(m.raw))
	return m, err
}

// plain refuses a set that is not byte for byte what the packer writes: a delta would make that instead.
func (s *openSet) plain() error {
	var sources []nxs.Source
	for i, p := range s.payloads {
		sources = append(sources, nxs.Source{Entry: p.Entry, RawManifest: s.manifest[i], Payload: s.payload(i)})
	}
	same := &comparison{file: s.file}
	if err := nxs.Write(same, s.head, sources); err != nil {
		return err
	}
	if same.differs || same.at != s.size {
		return hinted{refusal.New(refusal.BadArchive, "%s was not written by this packer", show(s.name)),
			"extract it, and pack it again with nxs-pack"}
	}
	return nil
}

// A comparison compares what is written with a file.
type comparison struct {
	file    io.ReaderAt
	at      int64
	differs bool
	buffer  []byte
}

func (c *comparison) Write(b []byte) (int, error) {
	if len(c.buffer) < len(b) {
		c.buffer = make([]byte, len(b))
	}
	n, err := c.file.ReadAt(c.buffer[:len(b)], c.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	c.differs = c.differs || !bytes.Equal(c.buffer[:n], b)
	c.at += int64(len(b))
	return len(b), nil
}

// source makes what the delta holds of one payload.
func (m *madeDelta) source(i int) (nxs.DeltaSource, error) {
	p := m.fresh.payloads[i]
	s := nxs.DeltaSource{Entry: p.Entry, RawManifest: m.fresh.manifest[i], Making: nxs.Making{Way: nxs.Whole},
		Content: m.fresh.payload(i)}
	if _, _, err := m.old.find(p.PayloadSHA256); err == nil {
		s.Making.Way, s.Content = nxs.Held, nil
		return s, nil
	}
	best := p.PayloadSize
	for _, base := range m.bases(p) {
		var patch bytes.Buffer
		head, err := delta.Make(&patch, base.content, base.PayloadSize, m.fresh.payload(i), p.PayloadSize)
		if refusal.Of(err) == refusal.PayloadTooLarge {
			break
		}
		if err != nil {
			return s, err
		}
		if size := int64(patch.Len()); size < best {
			best = size
			s.Making = nxs.Making{Way: nxs.Patch, Base: base.PayloadSHA256, PatchSize: size, Patch: head}
			s.Content = &patch
		}
		if best < p.PayloadSize/8 { // a patch from nothing is hardly smaller
			break
		}
	}
	return s, nil
}

// A base is a payload from which a patch can be made.
type base struct {
	nxs.Entry
	content io.ReaderAt
}

// bases returns from what a patch to a payload is tried: the bundle of that name, and nothing.
func (m *madeDelta) bases(p payloadPlace) []base {
	var bases []base
	for i, old := range m.old.payloads {
		if old.Name == p.Name {
			bases = append(bases, base{old.Entry, m.old.payload(i)})
		}
	}
	return append(bases, base{content: bytes.NewReader(nil)})
}

func (m *madeDelta) write(f *os.File) error {
	err := nxs.WriteDelta(f, m.fresh.head, m.raw, m.signature, m.sources)
	if err == nil {
		m.size, err = f.Seek(0, io.SeekCurrent)
	}
	return err
}

// describedDelta is the JSON answer about a delta.
type describedDelta struct {
	File          string            `json:"file"`
	Size          int64             `json:"size"`
	SystemVersion string            `json:"systemVersion"`
	IndexSHA256   string            `json:"indexSha256"`
	Publisher     string            `json:"publisher"`
	Payloads      []describedMaking `json:"payloads"`
}

type describedMaking struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Way         string `json:"way"`
	Size        int64  `json:"size"` // of what the delta holds
	PayloadSize int64  `json:"payloadSize"`
	BaseSHA256  string `json:"baseSha256"` // empty without a base
	BaseSize    int64  `json:"baseSize"`
}

func describeDelta(name string, size int64, head *nxs.Head, x nxs.DeltaIndex) describedDelta {
	d := describedDelta{File: name, Size: size, SystemVersion: head.Index.SystemVersion,
		IndexSHA256: head.Digest.String(),
		Publisher:   head.Index.Publisher.String()}
	for i, e := range head.Index.Bundles {
		m := x.Makings[i]
		described := describedMaking{Name: e.Name, Version: e.Version, Way: "whole", Size: e.PayloadSize,
			PayloadSize: e.PayloadSize}
		switch m.Way {
		case nxs.Held:
			described.Way, described.Size = "held", 0
		case nxs.Patch:
			described.Way, described.Size, described.BaseSize = "patch", m.PatchSize, m.Patch.OldSize
			if m.Patch.OldSize > 0 {
				described.BaseSHA256 = m.Base.String()
			}
		}
		d.Payloads = append(d.Payloads, described)
	}
	return d
}

// lines describes each payload in one line.
func (d describedDelta) lines() string {
	var b bytes.Buffer
	for _, m := range d.Payloads {
		switch {
		case m.Way == "held":
			fmt.Fprintf(&b, "= %s %s, payload of %d bytes, the device has it\n", m.Name, m.Version, m.PayloadSize)
		case m.Way == "patch" && m.BaseSize > 0:
			fmt.Fprintf(&b, "~ %s %s, payload of %d bytes, patch of %d\n", m.Name, m.Version, m.PayloadSize, m.Size)
		case m.Way == "patch":
			fmt.Fprintf(&b, "+ %s %s, payload of %d bytes, compressed to %d\n", m.Name, m.Version, m.PayloadSize,
				m.Size)
		default:
			fmt.Fprintf(&b, "+ %s %s, payload of %d bytes, whole\n", m.Name, m.Version, m.PayloadSize)
		}
	}
	return b.String()
}

func (m *madeDelta) answer(name string) describedDelta {
	return describeDelta(name, m.size, m.fresh.head, m.index)
}

func (m *madeDelta) text(name string) string {
	return fmt.Sprintf("%s: version %s, %d bytes instead of %d bytes\n%s", show(name), m.fresh.head.Index.SystemVersion,
		m.size,
		m.fresh.size, m.answer(name).lines())
}
