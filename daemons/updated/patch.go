package updated

import (
	"context"
	"errors"
	"io"
	"sync"

	"nexus/capnpgen/patch"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/delta"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// patchBy has patches applied by patchd: this process, which writes the slots, interprets none. It cannot ask twice,
// because the patch has been read by then.
func patchBy(patcher *vat.Holding) updater.Patch {
	return func(ctx context.Context, p delta.Patch, w io.Writer, old io.ReaderAt, in io.Reader, from int64) error {
		client, err := waitFor(ctx, patcher)
		if err != nil {
			return err
		}
		defer client.Release()
		work := &patchWork{old: old, in: in, out: w}
		answer, release := client.Apply(ctx, func(args patch.Patcher_apply_Params) error {
			head, err := args.NewHead()
			if err != nil {
				return err
			}
			fillHead(head, p, from)
			return errors.Join(head.SetBlockSha256(p.First.Digest[:]),
				args.SetSource(patch.PatchSource_ServerToClient(work)),
				args.SetTarget(patch.PatchTarget_ServerToClient(work)))
		})
		defer release()
		_, err = convert.Outcome(answer.Struct())
		if own := work.end(); own != nil { // the work itself failed: what came of that does not matter
			return own
		}
		if vat.Disconnected(err) {
			return refusal.New(refusal.Disconnected, "patchd ended while it applied a patch")
		}
		return err
	}
}

// waitFor waits for patchd, a restart included.
func waitFor(ctx context.Context, patcher *vat.Holding) (patch.Patcher, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	client, err := patcher.Get(ctx)
	return patch.Patcher(client), err
}

func fillHead(m patch.PatchHead, p delta.Patch, from int64) {
	m.SetOldSize(uint64(p.OldSize))
	m.SetNewSize(uint64(p.NewSize))
	m.SetBlockSize(uint64(p.First.Size))
	m.SetFrom(uint64(from))
}

// A patchWork is what one patch is made of. Nothing of it is used after its end.
type patchWork struct {
	mu   sync.Mutex
	old  io.ReaderAt
	in   io.Reader
	out  io.Writer
	over bool
	err  error // the first that old, in or out returned
}

// end ends the work, waiting for the call that is running, and returns why it failed.
func (w *patchWork) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	return w.err
}

// do makes one step of the work.
func (w *patchWork) do(step func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return errors.New("the work is over")
	}
	if w.err == nil {
		w.err = step()
	}
	return w.err
}

// ReadOld reads from the old payload.
func (w *patchWork) ReadOld(_ context.Context, call patch.PatchSource_readOld) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	piece := make([]byte, min(call.Args().Count(), patch.MaxPieceBytes))
	offset := int64(min(call.Args().Offset(), delta.MaxSize))
	return w.do(func() error {
		n, err := w.old.ReadAt(piece, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return res.SetBytes(piece[:n])
	})
}

// ReadPatch reads the next bytes of the patch.
func (w *patchWork) ReadPatch(_ context.Context, call patch.PatchSource_readPatch) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	piece := make([]byte, min(call.Args().Count(), patch.MaxPieceBytes))
	return w.do(func() error {
		n, err := w.in.Read(piece)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return res.SetBytes(piece[:n])
	})
}

// Write takes the next bytes of the new payload.
func (w *patchWork) Write(_ context.Context, call patch.PatchTarget_write) error {
	bytes, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	return w.do(func() error {
		_, err := w.out.Write(bytes)
		return err
	})
}
