package nxspack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/trust"
)

// A preparedSet is a set without its payloads, which stay on disk until they are copied.
type preparedSet struct {
	meta     setMeta
	key      indexSigner
	bundles  []bundleFolder
	index    nxs.Index
	rawIndex []byte // has its final size at once, but the digests only after the payloads have been read
}

// An indexSigner signs indexes for one publisher. A trust.Signer is one.
type indexSigner interface {
	Public() trust.PublicKey
	Sign(index []byte) ([]byte, error)
}

// newPreparedSet makes the index of these bundles, without the digests of the payloads.
func newPreparedSet(meta setMeta, bundles []bundleFolder, key indexSigner) (*preparedSet, error) {
	s := &preparedSet{meta: meta, key: key, bundles: bundles}
	for i := range bundles {
		bundles[i].publisher = key.Public()
	}
	return s, s.encode()
}

// encode makes the index from what is known of the bundles. It parses the result again, so that everything a device
// would refuse is refused here, with the same message.
func (s *preparedSet) encode() error {
	x := nxs.Index{SystemVersion: s.meta.SystemVersion, Publisher: s.key.Public(),
		TimestampUnixMs: uint64(s.meta.TimestampUnixMs), VersionFloor: s.meta.VersionFloor,
		ExpiresUnixMs: uint64(s.meta.ExpiresUnixMs)}
	for _, b := range s.bundles {
		x.Bundles = append(x.Bundles, b.entry)
	}
	err := s.meta.Health.apply(&x, s.bundles)
	if err != nil {
		return err
	}
	if s.rawIndex, err = x.Encode(); err != nil {
		return err
	}
	s.index, err = nxs.ParseIndex(s.rawIndex)
	return err
}

// checkDemands refuses a bundle with demands that devices of that SDK, or the other bundles, cannot meet, and two that
// ask for one port.
func (s *preparedSet) checkDemands(sdk string) error {
	err := policy.CheckPorts(nxs.Asking(s.index))
	if err == nil {
		err = policy.CheckData(nxs.Asking(s.index), func(name string) bool {
			return slices.ContainsFunc(s.bundles, func(b bundleFolder) bool {
				return b.manifest.Name == name && b.manifest.IsData()
			})
		})
	}
	if err != nil {
		return cannot("pack", "set", err)
	}
	for _, b := range s.bundles {
		if err := s.index.CheckDemands(b.manifest, sdk); err != nil {
			return cannot("pack", b.path, err)
		}
	}
	return nil
}

func (s *preparedSet) close() { closeFolders(s.bundles) }

// write writes the archive. All sizes are known, so every payload is read once: it is hashed and written to its place
// from the same buffer, several payloads in parallel. So the archive holds exactly what was hashed, whatever happens to
// the source files. Then the index is completed and signed, and everything else is written around the payloads.
func (s *preparedSet) write(ctx context.Context, f *os.File) error {
	out, err := newOutput(f, s.size())
	if err != nil {
		return err
	}
	return errors.Join(s.writeTo(ctx, out), out.Close())
}

func (s *preparedSet) writeTo(ctx context.Context, out *output) error {
	if err := s.copyPayloads(ctx, out); err != nil {
		return err
	}
	if err := s.complete(); err != nil {
		return err
	}
	signature, err := sign(ctx, s.key, s.rawIndex)
	if err != nil {
		return err
	}
	return nxs.WriteAround(io.NewOffsetWriter(out.cached, 0), s.head(signature), s.sources())
}

// complete makes the index again, now with the digests of the payloads.
func (s *preparedSet) complete() error {
	room := len(s.rawIndex)
	if err := s.encode(); err != nil {
		return err
	}
	if len(s.rawIndex) != room {
		return fmt.Errorf("cannot write index: it has %d bytes, want %d", len(s.rawIndex), room)
	}
	return nil
}

// digestPayloads completes the index without copying anything.
func (s *preparedSet) digestPayloads(ctx context.Context) error {
	streams := make([]digest.Stream, len(s.bundles))
	for i := range s.bundles {
		streams[i] = s.bundles[i].stream(nil, 0)
	}
	if err := digest.Run(ctx, streams); err != nil {
		return err
	}
	return s.complete()
}

// copyPayloads hashes and copies the payloads. If several are refused, it reports the first in byte order of their
// names.
func (s *preparedSet) copyPayloads(ctx context.Context, out *output) error {
	places := nxs.Places(s.head(noSignature()), s.sources())
	streams := make([]digest.Stream, len(s.bundles))
	for i, at := range places {
		streams[i] = s.bundles[i].stream(out, at)
	}
	return digest.Run(ctx, streams)
}

// stream hashes the payload and, if there is an output, copies it to its place there.
func (b *bundleFolder) stream(out *output, at int64) digest.Stream {
	s := digest.Stream{
		Size:   b.entry.PayloadSize,
		Kinds:  digest.SHA256 | digest.Verity,
		Offset: at,
		Read:   func(p []byte, off int64) error { return ofInput(b.path, b.payload.read(p, off)) },
		Check:  func(sums digest.Sums) error { return ofInput(b.path, b.digested(sums)) },
	}
	if out != nil {
		s.Write = func(p []byte, off int64) error {
			_, err := out.WriteAt(p, at+off)
			return err
		}
	}
	return s
}

// sign calls key.Sign, but returns when the context ends: an agent may wait for its user. The abandoned call ends with
// the process.
func sign(ctx context.Context, key indexSigner, message []byte) ([]byte, error) {
	type answer struct {
		signature []byte
		err       error
	}
	answers := make(chan answer, 1)
	go func() {
		signature, err := key.Sign(message)
		answers <- answer{signature, err}
	}()
	select {
	case a := <-answers:
		return a.signature, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// sources returns the bundles in the form that the writer expects, without payloads.
func (s *preparedSet) sources() []nxs.Source {
	sources := make([]nxs.Source, len(s.bundles))
	for i, b := range s.bundles {
		sources[i] = nxs.Source{Entry: b.entry, RawManifest: b.rawManifest}
	}
	return sources
}

// size returns the size of the archive in bytes.
func (s *preparedSet) size() int64 { return nxs.ArchiveSize(s.head(noSignature()), s.sources()) }

func (s *preparedSet) head(signature []byte) *nxs.Head {
	return &nxs.Head{Raw: s.rawIndex, Signature: signature}
}

// noSignature returns a placeholder of the size of a signature.
func noSignature() []byte { return make([]byte, nxs.SignatureSize) }

// An inputError is an error about a bundle to be packed, not about the set. Its text is complete.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

func ofInput(path string, err error) error {
	if err == nil {
		return nil
	}
	return inputError{cannot("pack", path, err)}
}
