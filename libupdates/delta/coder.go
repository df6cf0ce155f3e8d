package delta

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// The parts of a patch are compressed with Zstandard (RFC 8878), one frame each, unless that is no shorter.

// Kinds of a part.
const (
	stored = iota
	compressed
)

// A packer compresses parts.
type packer struct{ encoder *zstd.Encoder }

func newPacker() (*packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithWindowSize(maxContent))
	return &packer{e}, err
}

// append appends a part.
func (p *packer) append(b, part []byte) []byte {
	packed := p.encoder.EncodeAll(part, nil)
	kind := compressed
	if len(packed) >= len(part) {
		packed, kind = part, stored
	}
	b = binary.AppendUvarint(b, uint64(len(packed)<<1|kind))
	return append(b, packed...)
}

// An unpacker decompresses parts. The memory it needs is bounded by the limits.
type unpacker struct{ decoder *zstd.Decoder }

func newUnpacker() (*unpacker, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxContent), zstd.WithDecodeAllCapLimit(true))
	return &unpacker{d}, err
}

// part reads a part that has at most limit bytes, into the memory of into if that suffices.
func (u *unpacker) part(r *reader, into []byte, limit int64, what string) []byte {
	length := r.number(MaxBlock<<1, "the size of "+what)
	raw := r.bytes(length>>1, what)
	if r.err != nil {
		return nil
	}
	if length&1 == stored {
		if int64(len(raw)) > limit {
			r.fail("%s has %d bytes, at most %d are possible", what, len(raw), limit)
			return nil
		}
		return append(into[:0], raw...)
	}
	var head zstd.Header
	if err := head.Decode(raw); err != nil || !head.HasFCS || head.FrameContentSize > uint64(limit) {
		r.fail("%s does not say that it has at most %d bytes", what, limit)
		return nil
	}
	if need := int(head.FrameContentSize); cap(into) < need {
		into = make([]byte, 0, need)
	}
	part, err := u.decoder.DecodeAll(raw, into[:0:head.FrameContentSize])
	if err != nil || uint64(len(part)) != head.FrameContentSize {
		r.fail("%s cannot be decompressed: %v", what, err)
		return nil
	}
	return part
}
