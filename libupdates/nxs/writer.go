package nxs

import (
	"fmt"
	"io"

	"nexus/libupdates/refusal"
)

// Source is one bundle to be written. Payload must yield exactly Entry.PayloadSize bytes of the entry's digest.
type Source struct {
	Entry       Entry
	RawManifest []byte
	Payload     io.Reader
}

// Write writes a set: the same arguments give the same bytes. It reads each payload once and refuses one that is not
// what the index says, as SizeMismatch or DigestMismatch, one of a size that no policy allows, as PayloadTooLarge, and
// a name that no header holds, as BadEntryName. It does not check what a Reader will: the order of the bundles, the
// index, the signature.
func Write(w io.Writer, rawIndex, signature []byte, bundles []Source) error {
	return write(w, rawIndex, signature, bundles, func(b Source) error { return copyPayload(w, b) })
}

// WriteAround writes a set but for its payloads, which are at their places already (Places) or will be. It begins where
// w stands and never touches the places. Refusals: BadEntryName and PayloadTooLarge, as in Write; a Source's Payload is
// not used.
func WriteAround(w io.WriteSeeker, rawIndex, signature []byte, bundles []Source) error {
	return write(w, rawIndex, signature, bundles, func(b Source) error {
		_, err := w.Seek(b.Entry.PayloadSize, io.SeekCurrent)
		return err
	})
}

// write is the order of a set. The content of each payload is the caller's affair.
func write(w io.Writer, rawIndex, signature []byte, bundles []Source, payload func(Source) error) error {
	if err := writeFile(w, IndexName, rawIndex); err != nil {
		return err
	}
	if err := writeFile(w, SignatureName, signature); err != nil {
		return err
	}
	for _, b := range bundles {
		folder := b.Entry.Name + suffixBundle + "/"
		if err := writeFile(w, folder+fileManifest, b.RawManifest); err != nil {
			return err
		}
		if err := writeHeader(w, folder+filePayload, b.Entry.PayloadSize); err != nil {
			return err
		}
		if err := payload(b); err != nil {
			return err
		}
		if err := writePadding(w, b.Entry.PayloadSize); err != nil {
			return err
		}
	}
	var end [2 * blockSize]byte
	_, err := w.Write(end[:])
	return err
}

func writeFile(w io.Writer, name string, content []byte) error {
	if err := writeHeader(w, name, int64(len(content))); err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	return writePadding(w, int64(len(content)))
}

// copyPayload copies a payload and wants it to be what the index says.
func copyPayload(w io.Writer, b Source) error {
	name := b.Entry.Name + "/" + filePayload
	hashed := newHashingReader(b.Payload)
	n, err := io.Copy(w, io.LimitReader(hashed, b.Entry.PayloadSize))
	if err != nil {
		return err
	}
	var one [1]byte
	if more, _ := io.ReadFull(b.Payload, one[:]); more > 0 || n != b.Entry.PayloadSize {
		return refusal.New(refusal.SizeMismatch,
			"%s has not the %d bytes it had before: it changed while it was packed", name, b.Entry.PayloadSize)
	}
	if hashed.digest() != b.Entry.PayloadSHA256 {
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s: it changed while it was packed", name)
	}
	return nil
}

func writePadding(w io.Writer, size int64) error {
	var zero [blockSize]byte
	_, err := w.Write(zero[:padded(size)-size])
	return err
}

// writeHeader writes the header block of a file. It refuses what no header can hold.
func writeHeader(w io.Writer, name string, size int64) error {
	var block [blockSize]byte
	if len(name) >= fieldName.size {
		return refusal.New(refusal.BadEntryName, "cannot write entry: its name has %d characters", len(name))
	}
	if size < 0 || size > MaxPolicy {
		return refusal.New(refusal.PayloadTooLarge, "cannot write entry %s: a size of %d bytes is not within 0 and %d",
			shown(name), size, int64(MaxPolicy))
	}
	copy(fieldName.of(block[:]), name)
	copy(fieldMode.of(block[:]), fmt.Sprintf("%07o", modeFile))
	copy(fieldUID.of(block[:]), "0000000")
	copy(fieldGID.of(block[:]), "0000000")
	copy(fieldSize.of(block[:]), fmt.Sprintf("%011o", size))
	copy(fieldMtime.of(block[:]), "00000000000")
	copy(fieldMagic.of(block[:]), magicUstar)
	copy(fieldMajor.of(block[:]), "0000000")
	copy(fieldMinor.of(block[:]), "0000000")
	block[fieldType.at] = typeFile
	copy(fieldChecksum.of(block[:]), fmt.Sprintf(checksumPOSIX, checksum(block[:])))
	_, err := w.Write(block[:])
	return err
}

// ArchiveSize is the size in bytes of the archive that Write makes of these. Only sizes matter, not digests or
// payloads.
func ArchiveSize(rawIndex, signature []byte, bundles []Source) int64 {
	_, size := places(rawIndex, signature, bundles)
	return size
}

// Places are the offsets in bytes at which the payloads begin in the archive that Write makes of these. Only sizes
// matter.
func Places(rawIndex, signature []byte, bundles []Source) []int64 {
	at, _ := places(rawIndex, signature, bundles)
	return at
}

func places(rawIndex, signature []byte, bundles []Source) (payloads []int64, size int64) {
	size = 2*blockSize + padded(int64(len(rawIndex))) + padded(int64(len(signature)))
	for _, b := range bundles {
		size += 2*blockSize + padded(int64(len(b.RawManifest)))
		payloads = append(payloads, size)
		size += padded(b.Entry.PayloadSize)
	}
	return payloads, size + 2*blockSize
}
