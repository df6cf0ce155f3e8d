package updateclient

import (
	"context"
	"fmt"
	"io"
	"os"

	"capnproto.org/go/capnp/v3/exc"
	"capnproto.org/go/capnp/v3/flowcontrol"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
)

const (
	windowBytes = 4 << 20   // how much of an archive may be in flight
	chunkBytes  = 512 << 10 // how much of it is sent in one piece
)

// A Sink takes the archive of one stage. Without Done, what it received is discarded when it is released.
type Sink struct {
	stream  update.StageSink
	end     update.StageSink // a stream that failed fails all later calls of its client, and Done needs one that works
	link    *Link
	release func()
}

// Stage begins a stage of sizeBytes, whose outcome waits for somebody who may switch. It takes ownership of progress,
// which may be null. The facet is that of link, or link is nil.
func Stage(ctx context.Context, facet update.UpdateStage, link *Link, sizeBytes uint64,
	progress update.StageProgress) (*Sink, error) {
	answer, release := facet.Stage(ctx, func(p update.UpdateStage_stage_Params) error {
		p.SetSizeBytes(sizeBytes)
		return p.SetProgress(progress)
	})
	res, err := convert.Outcome(answer.Struct())
	return newSink(res.Sink, err, link, release)
}

// StageSystem is Stage with an outcome that can be switched to.
func StageSystem(ctx context.Context, facet update.Updated, link *Link, sizeBytes uint64,
	progress update.StageProgress) (*Sink, error) {
	answer, release := facet.StageSystem(ctx, func(p update.Updated_stageSystem_Params) error {
		p.SetSizeBytes(sizeBytes)
		return p.SetProgress(progress)
	})
	res, err := convert.Outcome(answer.Struct())
	return newSink(res.Sink, err, link, release)
}

func newSink(sink func() update.StageSink, err error, link *Link, release func()) (*Sink, error) {
	if err == nil && !sink().IsValid() {
		err = exc.New(exc.Disconnected, "", "the answer has no sink")
	}
	if err != nil {
		release()
		return nil, err
	}
	k := &Sink{stream: sink(), end: sink().AddRef(), link: link, release: release}
	k.stream.SetFlowLimiter(flowcontrol.NewFixedLimiter(windowBytes))
	return k, nil
}

// Release drops the sink.
func (k *Sink) Release() {
	k.end.Release()
	k.release()
}

// Send sends an archive, as the open file itself where updated can take that, else as bytes, and returns what is
// staged. If updated stops taking it, the error says why.
func (k *Sink) Send(ctx context.Context, archive io.Reader, file *os.File) (Set, error) {
	var sendErr error
	if !k.give(ctx, file) {
		sendErr = k.write(ctx, archive)
	}
	if ctx.Err() != nil {
		return Set{}, context.Cause(ctx)
	}
	set, err := k.done(ctx)
	switch {
	case err == nil && sendErr != nil:
		set.System.Release()
		return Set{}, sendErr // done cannot accept what did not arrive; if it does, do not believe it
	case err != nil && ctx.Err() != nil:
		return Set{}, context.Cause(ctx)
	}
	return set, err
}

// give reports whether the open file was taken. What else is wrong will show again.
func (k *Sink) give(ctx context.Context, file *os.File) bool {
	if file == nil || k.link == nil || k.link.conn.Attach(file) != nil {
		return false
	}
	answer, release := k.end.File(ctx, nil)
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err == nil
}

func (k *Sink) write(ctx context.Context, archive io.Reader) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := io.ReadFull(archive, chunk)
		if n > 0 {
			if err := k.stream.Write(ctx,
				func(p update.StageSink_write_Params) error { return p.SetBytes(chunk[:n]) }); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return k.stream.WaitStreaming()
		default:
			return fmt.Errorf("cannot read archive: %w", err)
		}
	}
}

func (k *Sink) done(ctx context.Context) (Set, error) {
	answer, release := k.end.Done(ctx, nil)
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return Set{}, err
	}
	var set Set
	if res.HasStaged() {
		if set, err = readSet(res.Staged()); err == nil {
			set.System = res.System().AddRef()
		}
	} else { // an older system leaves that to the StagedSystem
		set, err = describe(ctx, res.System())
	}
	set.Reused = res.ReusedBytes()
	return set, err
}
