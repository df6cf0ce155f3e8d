package nxs

import (
	"fmt"
	"io"
	"slices"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// A Source is one bundle to write. Payload must yield exactly Entry.PayloadSize bytes with the digest of Entry.
type Source struct {
	Entry       Entry
	RawManifest []byte
	Payload     io.Reader
}

// Write writes a set; the same arguments give the same bytes. Of the head it takes the index, the signatures and the
// roots. It reads each payload once. It refuses a payload that differs from any digest or the size in the index
// (SizeMismatch or DigestMismatch), a size that no policy allows (PayloadTooLarge) and a name that does not fit into a
// header (BadEntryName). It does not check the order of the bundles, the index or the signature; a Reader does.
func Write(w io.Writer, head *Head, bundles []Source) error {
	return write(w, head, bundles, func(b Source) error { return copyPayload(w, b) })
}

// WriteAround writes a set except its payloads, which the caller writes at their Places, before or after. It starts at
// the current offset of w and never writes to those places. It ignores the Payload of each Source. Refusals:
// BadEntryName and PayloadTooLarge, as in Write.
func WriteAround(w io.WriteSeeker, head *Head, bundles []Source) error {
	return write(w, head, bundles, func(b Source) error {
		_, err := w.Seek(b.Entry.PayloadSize, io.SeekCurrent)
		return err
	})
}

// WriteHead writes the beginning of a set, up to the first bundle. What follows in the archive of a set that it was
// read from is at HeadSize.
func WriteHead(w io.Writer, head *Head) error {
	for _, entry := range head.Entries() {
		if err := writeFile(w, entry.Name, entry.Content); err != nil {
			return err
		}
	}
	return nil
}

// HeadSize returns the offset of the first bundle in bytes.
func HeadSize(head *Head) (size int64) {
	for _, entry := range head.Entries() {
		size += blockSize + padded(int64(len(entry.Content)))
	}
	return size
}

// A HeadEntry is an entry of the archive before the first bundle.
type HeadEntry struct {
	Name    string
	Content []byte
}

// Entries returns the entries before the first bundle, in the order of the archive.
func (h *Head) Entries() []HeadEntry {
	entries := []HeadEntry{{RootsName, h.Roots}, {IndexName, h.Raw}, {SignatureName, h.Signature},
		{SignaturesName, h.More}}
	return slices.DeleteFunc(entries, func(e HeadEntry) bool { return len(e.Content) == 0 })
}

// write writes the entries of a set in order and calls payload for the content of each payload.
func write(w io.Writer, head *Head, bundles []Source, payload func(Source) error) error {
	if err := WriteHead(w, head); err != nil {
		return err
	}
	for _, b := range bundles {
		if err := writeBundle(w, b.Entry, b.RawManifest, func() error { return payload(b) }); err != nil {
			return err
		}
	}
	return writeEnd(w)
}

// writeBundle writes the entries of a bundle and calls payload for the content of its payload.
func writeBundle(w io.Writer, e Entry, rawManifest []byte, payload func() error) error {
	folder := e.Name + nxb.Suffix + "/"
	if err := writeFile(w, folder+nxb.ManifestFile, rawManifest); err != nil {
		return err
	}
	return writeContent(w, folder+nxb.PayloadFile, e.PayloadSize, payload)
}

// writeContent writes an entry and calls content for its bytes.
func writeContent(w io.Writer, name string, size int64, content func() error) error {
	if err := writeHeader(w, name, size); err != nil {
		return err
	}
	if err := content(); err != nil {
		return err
	}
	return writePadding(w, size)
}

func writeEnd(w io.Writer) error {
	var end [2 * blockSize]byte
	_, err := w.Write(end[:])
	return err
}

func writeFile(w io.Writer, name string, content []byte) error {
	return writeContent(w, name, int64(len(content)), func() error {
		_, err := w.Write(content)
		return err
	})
}

// copyPayload copies a payload and checks it against the index.
func copyPayload(w io.Writer, b Source) error {
	name, sums := b.Entry.payloadName(), b.Entry.everything()
	n, err := io.Copy(w, io.TeeReader(io.LimitReader(b.Payload, b.Entry.PayloadSize), sums))
	if err != nil {
		return err
	}
	var one [1]byte
	if more, _ := io.ReadFull(b.Payload, one[:]); more > 0 || n != b.Entry.PayloadSize {
		return refusal.New(refusal.SizeMismatch,
			"%s no longer has its %d bytes: it changed while it was packed", name, b.Entry.PayloadSize)
	}
	if err := sums.check(); err != nil {
		return refusal.New(refusal.DigestMismatch, "%v: it changed while it was packed", err)
	}
	return nil
}

func writePadding(w io.Writer, size int64) error {
	var zero [blockSize]byte
	_, err := w.Write(zero[:padded(size)-size])
	return err
}

// writeHeader writes the header block of a file. It refuses a name or size that does not fit into one.
func writeHeader(w io.Writer, name string, size int64) error {
	var block [blockSize]byte
	if len(name) >= fieldName.size {
		return refusal.New(refusal.BadEntryName, "cannot write entry: its name has %d characters", len(name))
	}
	if size < 0 || size > MaxPolicy {
		return refusal.New(refusal.PayloadTooLarge, "cannot write entry %s: size of %d bytes is not from 0 to %d",
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

// ArchiveSize returns the size in bytes of the archive that Write makes of these. It depends only on sizes, not on
// digests or payloads.
func ArchiveSize(head *Head, bundles []Source) int64 {
	_, size := places(head, bundles)
	return size
}

// Places returns the offsets in bytes of the payloads in the archive that Write makes of these. They depend only on
// sizes.
func Places(head *Head, bundles []Source) []int64 {
	at, _ := places(head, bundles)
	return at
}

func places(head *Head, bundles []Source) (payloads []int64, size int64) {
	size = HeadSize(head)
	for _, b := range bundles {
		size += 2*blockSize + padded(int64(len(b.RawManifest)))
		payloads = append(payloads, size)
		size += padded(b.Entry.PayloadSize)
	}
	return payloads, size + 2*blockSize
}
