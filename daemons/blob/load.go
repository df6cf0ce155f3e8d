package blob

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nexus/capnpgen/bundle"
	"nexus/daemons/plat"
	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/tree"
)

// A ReadFunc fills p with the bytes of a payload at off, or fails. Several goroutines call it at the same time.
type ReadFunc func(p []byte, off int64) error

// Load reads the payload of a bundle into sealed memory and checks it on the way: its digest against the signed one, in
// the very buffers that are written to the memory, and that it is a program for this machine. It is refused as
// DigestMismatch or WrongArchitecture. The caller closes the file.
func Load(ctx context.Context, entry nxs.Entry, read ReadFunc) (*os.File, error) {
	payload, err := plat.SealedMemoryBy(entry.Name, entry.PayloadSize, func(memory *os.File) error {
		stream := entry.Stream(entry.Name+"/"+nxb.PayloadFile, func(p []byte, off int64) error {
			if err := read(p, off); err != nil {
				return err
			}
			_, err := durable.WriteCached(memory, p, off)
			return err
		})
		if err := digest.Run(ctx, []digest.Stream{stream}); err != nil {
			return err
		}
		if read(make([]byte, 1), entry.PayloadSize) == nil {
			return fmt.Errorf("got more than %d bytes", entry.PayloadSize)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := nxb.CheckELF(payload, entry.PayloadSize, plat.Machine()); err != nil {
		payload.Close()
		return nil, err
	}
	return payload, nil
}

// Unpack reads the payload of a data bundle into an empty folder, and checks its digest on the way, over the very bytes
// that it unpacks. It is refused as DigestMismatch or BadTree; what is in the folder then is nobody's.
func Unpack(ctx context.Context, entry nxs.Entry, read ReadFunc, into *os.Root) error {
	hash, check := entry.Tally()
	payload := &sequence{ctx: ctx, read: read, left: entry.PayloadSize}
	verified := io.TeeReader(payload, hash)
	err := tree.Unpack(bufio.NewReaderSize(verified, 1<<20), into)
	if err == nil || refusal.Of(err) == refusal.BadTree {
		// what is not what was signed is refused for that
		if _, failed := io.Copy(io.Discard, verified); failed != nil {
			return failed
		}
		err = cmp.Or(check(), err)
	}
	if err == nil && read(make([]byte, 1), entry.PayloadSize) == nil {
		err = fmt.Errorf("got more than %d bytes", entry.PayloadSize)
	}
	return err
}

// A sequence is a payload as a stream.
type sequence struct {
	ctx      context.Context
	read     ReadFunc
	at, left int64
}

func (s *sequence) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n := int(min(int64(len(p)), s.left))
	if n == 0 {
		return 0, io.EOF
	}
	if err := s.read(p[:n], s.at); err != nil {
		return 0, err
	}
	s.at, s.left = s.at+int64(n), s.left-int64(n)
	return n, nil
}

// Kept returns a second descriptor of the file of a payload if the kernel verifies every read of it against the signed
// digest, so that it can be executed as it is; nil if it has to be loaded: the kernel does not verify it, or nothing
// may be executed from its file system. It is refused as Damaged if the kernel verifies the file against another digest
// or cannot read it, and as WrongArchitecture. The caller closes the descriptor.
func Kept(entry nxs.Entry, v durable.Verity, file *os.File) (*os.File, error) {
	if entry.PayloadVerity.IsZero() || !plat.OnDisk(file) {
		return nil, nil
	}
	sum, err := durable.Measure(v, file)
	switch {
	case errors.Is(err, durable.ErrNoVerity), errors.Is(err, durable.ErrPlain):
		return nil, nil
	case err != nil:
		return nil, err
	case sum != entry.PayloadVerity:
		return nil, refusal.New(refusal.Damaged, "the kernel verifies %s against another digest", entry.Name)
	}
	err = nxb.CheckELF(file, entry.PayloadSize, plat.Machine())
	if refusal.Of(err) == refusal.IO {
		err = refusal.New(refusal.Damaged, "the kernel refuses to read %s: %v", entry.Name, err)
	}
	if err != nil {
		return nil, err
	}
	return plat.Duplicate(file)
}

// FromFile reads an open file, which may change meanwhile.
func FromFile(file io.ReaderAt) ReadFunc {
	return func(p []byte, off int64) error {
		if n, err := file.ReadAt(p, off); n < len(p) {
			return fmt.Errorf("cannot read payload: %w", err)
		}
		return nil
	}
}

// FromBlob reads a blob by calls.
func FromBlob(ctx context.Context, blob bundle.Blob) ReadFunc {
	return func(p []byte, off int64) error {
		for len(p) > 0 {
			n, err := readBlob(ctx, blob, p, off)
			if err != nil {
				return fmt.Errorf("cannot read payload: %w", err)
			}
			p, off = p[n:], off+int64(n)
		}
		return nil
	}
}

// readBlob makes one call, which returns at least one byte.
func readBlob(ctx context.Context, blob bundle.Blob, p []byte, off int64) (int, error) {
	answer, release := blob.Read(ctx, func(params bundle.Blob_read_Params) error {
		params.SetOffset(uint64(off))
		params.SetCount(uint32(min(len(p), int(bundle.MaxReadBytes))))
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, err
	}
	got, err := res.Bytes()
	if err != nil {
		return 0, err
	}
	if len(got) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, got), nil
}
