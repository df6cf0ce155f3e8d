package slots

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// stored is a set on disk. Disks decay, so every byte is checked against the digest that covers it.
type stored struct {
	fs     durable.ReadFS
	digest nxs.Digest
}

func (s stored) dir() string { return setDir(s.digest) }

// rawIndex returns the index after checking it against the digest in its directory's name. That alone proves nothing: a
// signature, or the source of the digest, must vouch for it.
func (s stored) rawIndex() ([]byte, error) {
	raw, err := s.readFile(nxs.IndexName, nxs.MaxIndex)
	if err != nil {
		return nil, err
	}
	if nxs.Sum(raw) != s.digest {
		return nil, refusal.New(refusal.DigestMismatch, "digest mismatch in %s", nxs.IndexName)
	}
	return raw, nil
}

// index returns the parsed index of a digest that the caller vouches for.
func (s stored) index() (nxs.Index, error) {
	raw, err := s.rawIndex()
	if err != nil {
		return nxs.Index{}, err
	}
	return nxs.ParseIndex(raw)
}

// verifiedIndex verifies the signature over the index and returns the parsed index. Nothing is interpreted before that.
func (s stored) verifiedIndex(verify nxs.VerifyFunc) (nxs.Index, error) {
	raw, proof, err := s.signed()
	if err != nil {
		return nxs.Index{}, err
	}
	index, err := nxs.VerifyIndex(raw, proof, verify)
	if err != nil {
		return nxs.Index{}, blame(err, raw, proof)
	}
	return index, nil
}

// signed returns the raw index and its signatures, both unverified.
func (s stored) signed() (index, proof []byte, err error) {
	if index, err = s.rawIndex(); err != nil {
		return nil, nil, err
	}
	proof, err = s.proof()
	return index, proof, err
}

// proof returns the signatures as an nxs.VerifyFunc takes them.
func (s stored) proof() ([]byte, error) {
	signature, err := s.readFile(nxs.SignatureName, nxs.SignatureSize)
	if err != nil {
		return nil, err
	}
	more, err := s.readFile(nxs.SignaturesName, trust.MaxSignatures*trust.SignatureSize)
	if refusal.Of(err) == refusal.MissingEntry {
		return signature, nil
	}
	if err == nil && (len(more) == 0 || len(more)%trust.SignatureSize != 0) {
		err = refusal.New(refusal.SizeMismatch, "size mismatch in %s", nxs.SignaturesName)
	}
	return append(signature, more...), err
}

// A depth is how much of a set is read when it is checked.
type depth bool

const (
	everything depth = true
	unkeptOnly depth = false // not the payloads that the kernel verifies at every read
)

// checkBundles verifies every manifest and payload in the index, the payloads in parallel, and returns the first fault
// in the order of the index. Files that are not in the index are ignored. Plain are the payloads that the kernel could
// verify at every read, and does not. Canceling the context ends it early.
func (s stored) checkBundles(ctx context.Context, index nxs.Index, reading depth) (plain []nxs.Entry, err error) {
	var payloads []digest.Stream
	var found error
	for _, entry := range index.Bundles {
		var payload durable.ReadFile
		if _, found = s.manifest(entry); found == nil {
			payload, found = s.openPayload(entry)
		}
		if found != nil {
			break
		}
		defer payload.Close()
		name := payloadPath("", entry.Name)
		unkept, err := measure(entry, name, payload)
		if found = err; found != nil {
			break
		}
		if errors.Is(unkept, durable.ErrPlain) {
			plain = append(plain, entry)
		}
		if unkept != nil || reading == everything {
			payloads = append(payloads, streamOf(entry, name, payload, unkept))
		}
	}
	if err := digest.Run(ctx, payloads); err != nil {
		return nil, err
	}
	return plain, found
}

// streamOf is the stream of a payload of which unkept says why the kernel does not verify it.
func streamOf(entry nxs.Entry, name string, f durable.ReadFile, unkept error) digest.Stream {
	stream := entry.StreamOf(name, f)
	if unkept == nil {
		stream.Read = damagedBy(name, stream.Read)
	}
	return stream
}

// manifest returns a bundle's manifest after checking its digest.
func (s stored) manifest(entry nxs.Entry) (nxb.Manifest, error) {
	name := manifestPath("", entry.Name)
	raw, err := s.readFile(name, nxs.MaxManifest)
	if err != nil {
		return nxb.Manifest{}, err
	}
	if nxs.Sum(raw) != entry.ManifestSHA256 {
		return nxb.Manifest{}, refusal.New(refusal.DigestMismatch, "digest mismatch in %s", name)
	}
	return nxs.CheckManifest(entry, raw)
}

// openPayload opens a payload and checks its size.
func (s stored) openPayload(entry nxs.Entry) (durable.ReadFile, error) {
	name := payloadPath("", entry.Name)
	f, err := s.open(name)
	if err != nil {
		return nil, err
	}
	if f.Size() != entry.PayloadSize {
		f.Close()
		return nil, refusal.New(refusal.SizeMismatch, "size mismatch in %s", name)
	}
	return f, nil
}

func (s stored) checkPayload(entry nxs.Entry) error {
	f, err := s.openPayload(entry)
	if err != nil {
		return err
	}
	defer f.Close()
	name := payloadPath("", entry.Name)
	unkept, err := measure(entry, name, f)
	if err != nil {
		return err
	}
	return digest.Run(context.Background(), []digest.Stream{streamOf(entry, name, f, unkept)})
}

// isLocked reports whether the permission to read any file of the set is missing.
func (s stored) isLocked(index nxs.Index) bool {
	names := []string{nxs.IndexName, nxs.SignatureName}
	for _, entry := range index.Bundles {
		names = append(names, manifestPath("", entry.Name), payloadPath("", entry.Name))
	}
	return slices.ContainsFunc(names, func(name string) bool {
		f, err := s.open(name)
		if err == nil {
			f.Close()
		}
		return refusal.Of(err) == refusal.UnreadableEntry
	})
}

// open opens a file of the set.
func (s stored) open(name string) (durable.ReadFile, error) {
	f, err := s.fs.Open(path.Join(s.dir(), name))
	if err != nil {
		return nil, unusable(name, err)
	}
	return f, nil
}

// readFile reads a whole file of the set, of at most limit bytes.
func (s stored) readFile(name string, limit int64) ([]byte, error) {
	f, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, refusal.New(refusal.SizeMismatch, "%s is larger than %d bytes", name, limit)
	}
	raw := make([]byte, f.Size())
	_, err = io.ReadFull(f, raw)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // the file was truncated meanwhile
		return nil, refusal.New(refusal.SizeMismatch, "size mismatch in %s", name)
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return raw, nil
}
