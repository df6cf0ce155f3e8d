package blob

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"nexus/capnpgen/bundle"
	"nexus/daemons/plat"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Load reads the payload of a bundle into sealed memory and checks it there: size and digest against the signed ones,
// and that it is a program for this machine. It is refused as DigestMismatch or WrongArchitecture. The caller closes
// the file.
func Load(ctx context.Context, blob bundle.Blob, entry nxs.Entry) (*os.File, error) {
	hash := sha256.New()
	payload, err := plat.SealedMemory(entry.Name, io.TeeReader(&reader{ctx: ctx, blob: blob}, hash), entry.PayloadSize)
	if err != nil {
		return nil, err
	}
	if err := check(payload, entry, nxs.Digest(hash.Sum(nil))); err != nil {
		payload.Close()
		return nil, err
	}
	return payload, nil
}

func check(payload *os.File, entry nxs.Entry, got nxs.Digest) error {
	if got != entry.PayloadSHA256 {
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s/payload.elf", entry.Name)
	}
	return nxb.CheckELF(payload, entry.PayloadSize, plat.Machine())
}

// A reader reads a blob from its start to its end.
type reader struct {
	ctx    context.Context
	blob   bundle.Blob
	offset uint64
}

func (r *reader) Read(b []byte) (int, error) {
	count := uint32(min(len(b), int(bundle.MaxReadBytes)))
	answer, release := r.blob.Read(r.ctx, func(p bundle.Blob_read_Params) error {
		p.SetOffset(r.offset)
		p.SetCount(count)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, fmt.Errorf("cannot read payload: %w", err)
	}
	got, err := res.Bytes()
	if err != nil {
		return 0, fmt.Errorf("cannot read payload: %w", err)
	}
	if len(got) == 0 {
		return 0, io.EOF
	}
	n := copy(b, got)
	r.offset += uint64(n)
	return n, nil
}
