package fetchd

import (
	"bufio"
	"context"
	"errors"
	"io"

	"nexus/daemons/updateclient"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

// pieceBytes is how much of the archive is handed on at once.
const pieceBytes = 64 << 10

// A transfer hands a set on from the registry to a stage.
type transfer struct {
	ctx     context.Context
	set     *oci.Set
	archive *oci.Archive
	sink    *updateclient.Sink
	to      *stage
	out     *bufio.Writer // to the stage
	patches *patches
	index   nxs.Index // what the registry says that it is
	checked bool      // the registry has the payloads that the index names
	reused  uint64    // bytes that the device had
}

func newTransfer(ctx context.Context, set *oci.Set, to *stage, p *patches) *transfer {
	t := &transfer{ctx: ctx, set: set, sink: to.sink, to: to, patches: p}
	t.archive = set.Archive(ctx, t.held)
	t.out = bufio.NewWriterSize(to, pieceBytes)
	return t
}

func (t *transfer) close() {
	t.archive.Close()
	t.to.close()
}

// run hands on the whole set and returns what is staged.
func (t *transfer) run() (updateclient.Set, error) {
	// without their other methods, so that what is read is written before more is read
	_, err := io.CopyBuffer(struct{ io.Writer }{t.out}, struct{ io.Reader }{t.archive}, make([]byte, pieceBytes))
	if err == nil {
		err = t.out.Flush()
	}
	t.to.close() // Done waits for that
	var refused *stageError
	if err != nil && !errors.As(err, &refused) {
		return updateclient.Set{}, err
	}
	set, doneErr := t.sink.Done(t.ctx)
	if doneErr == nil && refused != nil {
		set.System.Release()
		doneErr = refused.error
	}
	return set, doneErr
}

// held has what the device has of a payload taken in place of what would be fetched, or what a patch makes of it.
func (t *transfer) held(payload nxs.Digest, whole int64) (io.Reader, int64, error) {
	if err := t.out.Flush(); err != nil {
		return nil, 0, err
	}
	size, err := t.sink.Reuse(t.ctx, bootctl.Digest(payload))
	if err != nil {
		return nil, 0, &stageError{err}
	}
	t.reused += size
	if err := t.check(); err != nil {
		return nil, 0, err
	}
	for _, entry := range t.index.Bundles {
		if entry.PayloadSHA256 != payload {
			continue
		}
		made, err := t.patches.make(t.ctx, entry, whole-int64(size), t.sink)
		if made || err != nil {
			return nil, whole, err
		}
	}
	if left := whole - int64(size); left >= leastStreamed {
		err = t.to.open(left)
	}
	return nil, int64(size), err
}

// check compares what the registry says of the payloads with the index, which updated has verified by now.
func (t *transfer) check() error {
	if t.checked {
		return nil
	}
	t.checked = true
	var err error
	if t.index, err = nxs.ParseIndex(t.archive.Index()); err != nil {
		return refusal.New(refusal.BadRegistry, "it has sent another index than it says: %v", err)
	}
	return t.set.CheckIndex(t.index)
}

// A stageError says that updated takes no more. Done says why.
type stageError struct{ error }

func (e *stageError) Unwrap() error { return e.error }
