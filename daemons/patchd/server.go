package patchd

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"

	"nexus/capnpgen/patch"
	"nexus/daemons/convert"
	"nexus/libupdates/delta"
	"nexus/libupdates/refusal"
)

// outBytes is how many bytes of a result are handed on at once.
const outBytes = 256 << 10

// A server is Patcher.
type server struct {
	turn chan struct{} // holds a token while a patch is applied
}

// Apply applies one patch.
func (s *server) Apply(ctx context.Context, call patch.Patcher_apply) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	p, from, err := readHead(call.Args().Head())
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	w := &work{ctx: ctx, source: call.Args().Source().AddRef(), target: call.Args().Target().AddRef()}
	defer w.source.Release()
	defer w.target.Release()
	call.Go()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	out := bufio.NewWriterSize(w, outBytes)
	err = p.Apply(out, newPages(w, p.OldSize), bufio.NewReaderSize(w, pageBytes), from)
	if err == nil {
		err = out.Flush()
	}
	return convert.Refuse(res.NewRefusal, err)
}

// readHead reads what is known of a patch.
func readHead(m patch.PatchHead, err error) (p delta.Patch, from int64, _ error) {
	if err != nil {
		return p, 0, err
	}
	digest, err := m.BlockSha256()
	switch {
	case err != nil:
		return p, 0, err
	case len(digest) != len(p.First.Digest):
		return p, 0, refusal.New(refusal.BadPatch, "the digest of the first block has %d bytes", len(digest))
	case max(m.OldSize(), m.NewSize(), m.BlockSize(), m.From()) > delta.MaxSize:
		return p, 0, refusal.New(refusal.BadPatch, "a size is over the limit of %d", int64(delta.MaxSize))
	}
	p = delta.Patch{OldSize: int64(m.OldSize()), NewSize: int64(m.NewSize())}
	p.First = delta.Link{Size: int64(m.BlockSize()), Digest: [32]byte(digest)}
	return p, int64(m.From()), nil
}

// A work is the caller's side of one patch: where its bytes come from and go.
type work struct {
	ctx    context.Context
	source patch.PatchSource
	target patch.PatchTarget
}

// Read reads the next bytes of the patch.
func (w *work) Read(b []byte) (int, error) {
	answer, release := w.source.ReadPatch(w.ctx, func(p patch.PatchSource_readPatch_Params) error {
		p.SetCount(uint32(min(len(b), int(patch.MaxPieceBytes))))
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, err
	}
	n, err := copied(b, res.Bytes)
	if err == nil && n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, err
}

// ReadAt reads bytes of the old payload, at most a piece.
func (w *work) ReadAt(b []byte, off int64) (int, error) {
	answer, release := w.source.ReadOld(w.ctx, func(p patch.PatchSource_readOld_Params) error {
		p.SetOffset(uint64(off))
		p.SetCount(uint32(len(b)))
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, err
	}
	n, err := copied(b, res.Bytes)
	if err == nil && n < len(b) {
		err = errors.New("the old payload ends too early")
	}
	return n, err
}

// Write hands on the next bytes of the new payload, at most a piece.
func (w *work) Write(b []byte) (int, error) {
	for piece := range slices.Chunk(b, int(patch.MaxPieceBytes)) {
		answer, release := w.target.Write(w.ctx, func(p patch.PatchTarget_write_Params) error {
			return p.SetBytes(piece)
		})
		_, err := answer.Struct()
		release()
		if err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// copied copies what the getter of an answer returns.
func copied(b []byte, bytes func() ([]byte, error)) (int, error) {
	got, err := bytes()
	if err == nil && len(got) > len(b) {
		err = errors.New("more bytes came than were asked for")
	}
	if err != nil {
		return 0, err
	}
	return copy(b, got), nil
}
