package nxspack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// A preparedSet is all of a set but its payloads, which stay on disk until they are copied.
type preparedSet struct {
	meta     setMeta
	key      indexSigner
	bundles  []bundleFolder
	index    nxs.Index
	rawIndex []byte // without the payloads' digests, but of the right size, until they were read
}

// An indexSigner signs indexes as one publisher. A trust.Signer is one.
type indexSigner interface {
	Public() trust.PublicKey
	Sign(index []byte) ([]byte, error)
}

// newPreparedSet makes the index of these bundles, but for the digests of the payloads.
func newPreparedSet(meta setMeta, bundles []bundleFolder, key indexSigner) (*preparedSet, error) {
	s := &preparedSet{meta: meta, key: key, bundles: bundles}
	for i := range bundles {
		bundles[i].publisher = key.Public()
	}
	return s, s.encode()
}

// encode makes the index of what is known of the bundles. It is read back: what a device would refuse is refused here,
// in the same words.
func (s *preparedSet) encode() error {
	x := nxs.Index{SystemVersion: s.meta.SystemVersion, Publisher: s.key.Public(),
		TimestampUnixMs: uint64(s.meta.TimestampUnixMs), VersionFloor: s.meta.VersionFloor}
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

// checkDemands refuses a bundle that asks for what devices of that SDK do not have.
func (s *preparedSet) checkDemands(sdk string) error {
	for _, b := range s.bundles {
		if err := s.index.CheckDemands(b.manifest, sdk); err != nil {
			return cannot("pack", b.path, err)
		}
	}
	return nil
}

func (s *preparedSet) close() { closeFolders(s.bundles) }

// write makes the archive. Sizes are known, so every payload is read once: it is digested and written to its place from
// the same memory, several at a time. What is in the archive is therefore what was digested, whatever happens to the
// file it came from. Then the index is complete, is signed, and all else is written around the payloads.
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
	return nxs.WriteAround(io.NewOffsetWriter(out.cached, 0), s.rawIndex, signature, s.sources())
}

// complete makes the index again, with the digests of the payloads.
func (s *preparedSet) complete() error {
	room := len(s.rawIndex)
	if err := s.encode(); err != nil {
		return err
	}
	if len(s.rawIndex) != room {
		return fmt.Errorf("cannot write index: it has %d bytes, its place %d", len(s.rawIndex), room)
	}
	return nil
}

// digestPayloads completes the index, and copies nothing.
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

// copyPayloads digests and copies the payloads. Of several that are refused it reports the first, in byte order of
// their names.
func (s *preparedSet) copyPayloads(ctx context.Context, out *output) error {
	places := nxs.Places(s.rawIndex, noSignature(), s.sources())
	streams := make([]digest.Stream, len(s.bundles))
	for i, at := range places {
		streams[i] = s.bundles[i].stream(out, at)
	}
	return digest.Run(ctx, streams)
}

// stream digests the payload and, where there is an output, copies it to its place there.
func (b *bundleFolder) stream(out *output, at int64) digest.Stream {
	s := digest.Stream{
		Size:   b.entry.PayloadSize,
		Offset: at,
		Read:   func(p []byte, off int64) error { return ofInput(b.path, b.payload.read(p, off)) },
		Check:  func(sum digest.Sum) error { return ofInput(b.path, b.digested(sum)) },
	}
	if out != nil {
		s.Write = func(p []byte, off int64) error {
			_, err := out.WriteAt(p, at+off)
			return err
		}
	}
	return s
}

// sign is key.Sign, unless the context ends first: an agent may ask its user, who may not be there. What waits for the
// agent then ends with the process.
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

// sources are the bundles as the writer takes them, but for their payloads.
func (s *preparedSet) sources() []nxs.Source {
	sources := make([]nxs.Source, len(s.bundles))
	for i, b := range s.bundles {
		sources[i] = nxs.Source{Entry: b.entry, RawManifest: b.rawManifest}
	}
	return sources
}

// size is the size of the archive in bytes.
func (s *preparedSet) size() int64 { return nxs.ArchiveSize(s.rawIndex, noSignature(), s.sources()) }

// noSignature takes the room of a signature.
func noSignature() []byte { return make([]byte, nxs.SignatureSize) }

// An inputError is about a bundle that was to be packed, not about the set. It is a whole sentence.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

func ofInput(path string, err error) error {
	if err == nil {
		return nil
	}
	return inputError{cannot("pack", path, err)}
}
