package updateclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/flowcontrol"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
)

const (
	windowBytes = 4 << 20   // how much of an archive may be in flight
	chunkBytes  = 512 << 10 // how much of it is sent in one piece
)

// A Sink takes the archive of one stage. It is a promise, so that what is sent travels with the question for it. What
// it received is discarded when it is released before Send has returned a set.
type Sink struct {
	stream   update.StageSink
	end      update.StageSink // a stream that failed fails all later calls of its client, and Done needs one that works
	begun    func() error
	switches bool // as soon as the set is staged
	link     *Link
	release  func()
}

// ResumeStage is Stage of an archive that may be resumed, once it has begun. Its bytes go by Write and Reuse; then
// Done is called. operator says that whoever wants it may switch.
func ResumeStage(ctx context.Context, facet update.UpdateStage, operator bool, sizeBytes uint64,
	progress update.StageProgress) (*Sink, error) {
	answer, release := facet.Stage(ctx, func(p update.UpdateStage_stage_Params) error {
		p.SetSizeBytes(sizeBytes)
		p.SetResume(true)
		p.SetForOperator(operator)
		return p.SetProgress(progress)
	})
	if _, err := convert.Outcome(answer.Struct()); err != nil {
		release()
		return nil, err
	}
	return newSink(answer.Sink(), func() error { return nil }, nil, release), nil
}

// Stage begins a stage of sizeBytes, whose outcome waits for somebody who may switch. It takes ownership of progress,
// which may be null. The facet is that of link, or link is nil.
func Stage(ctx context.Context, facet update.UpdateStage, link *Link, sizeBytes uint64,
	progress update.StageProgress) *Sink {
	answer, release := facet.Stage(ctx, func(p update.UpdateStage_stage_Params) error {
		p.SetSizeBytes(sizeBytes)
		return p.SetProgress(progress)
	})
	begun := func() error {
		_, err := convert.Outcome(answer.Struct())
		return err
	}
	return newSink(answer.Sink(), begun, link, release)
}

// StageSystem is Stage with an outcome that can be switched to.
func StageSystem(ctx context.Context, facet update.Updated, link *Link, sizeBytes uint64,
	progress update.StageProgress) *Sink {
	answer, release := facet.StageSystem(ctx, func(p update.Updated_stageSystem_Params) error {
		p.SetSizeBytes(sizeBytes)
		return p.SetProgress(progress)
	})
	begun := func() error {
		_, err := convert.Outcome(answer.Struct())
		return err
	}
	return newSink(answer.Sink(), begun, link, release)
}

// UntilEnded waits until an operator ends stages, and returns that, or why it cannot wait. operator: see ResumeStage.
func UntilEnded(ctx context.Context, facet update.UpdateStage, operator bool) error {
	answer, release := facet.UntilEnded(ctx, func(p update.UpdateStage_untilEnded_Params) error {
		p.SetForOperator(operator)
		return nil
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

// errNoSink stands in for the sink of a stage that did not begin: an answer that is there already has none then, and
// the library does not stream to the null capability.
var errNoSink = errors.New("the stage has not begun")

func newSink(sink update.StageSink, begun func() error, link *Link, release func()) *Sink {
	if !sink.IsValid() {
		sink = update.StageSink(capnp.ErrorClient(errNoSink))
	}
	k := &Sink{stream: sink, end: sink.AddRef(), begun: begun, link: link, release: release}
	k.stream.SetFlowLimiter(flowcontrol.NewFixedLimiter(windowBytes))
	return k
}

// Begun waits until the stage has begun, and returns why it has not.
func (k *Sink) Begun() error { return k.begun() }

// ThenSwitch puts the set on trial as soon as it is staged: Send asks for both at once. The Switch of the set that it
// returns then waits for the answer, and has to be called.
func (k *Sink) ThenSwitch() { k.switches = true }

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
	k.switches = k.switches && sendErr == nil
	set, err := k.Done(ctx)
	if err != nil {
		if refused := k.Begun(); refused != nil {
			err = refused
		}
	}
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
			return nil
		default:
			return fmt.Errorf("cannot read archive: %w", err)
		}
	}
}

// Write sends the next bytes, at most 1 MiB, and waits until they were taken: none are lost with this process.
func (k *Sink) Write(ctx context.Context, b []byte) error {
	if err := k.stream.Write(ctx, func(p update.StageSink_write_Params) error { return p.SetBytes(b) }); err != nil {
		return err
	}
	return k.stream.WaitStreaming()
}

// Stream returns a pipe for the next size bytes, which the caller closes after them; nil if they have to be written.
// holding is that of the facet with which the stage began.
func (k *Sink) Stream(ctx context.Context, holding *vat.Holding, size int64) (*os.File, error) {
	return holding.Handed(func() error {
		answer, release := k.end.Stream(ctx, func(p update.StageSink_stream_Params) error {
			p.SetBytes(uint64(size))
			return nil
		})
		defer release()
		_, err := answer.Struct()
		return err
	})
}

// Reuse has what the device has of a payload taken in place of the next bytes, and returns how many these are.
func (k *Sink) Reuse(ctx context.Context, payload bootctl.Digest) (uint64, error) {
	answer, release := k.end.Reuse(ctx, func(p update.StageSink_reuse_Params) error {
		return p.SetPayloadSha256(payload[:])
	})
	defer release()
	res, err := answer.Struct()
	return res.Bytes(), err
}

// Patch has a payload made by the patch of a delta, in place of the bytes that Reuse did not take, and returns how many
// bytes of the patch need not be written. After a refusal the bytes of the payload are written.
func (k *Sink) Patch(ctx context.Context, index, signature []byte, payload bootctl.Digest) (had uint64, err error) {
	answer, release := k.end.Patch(ctx, func(p update.StageSink_patch_Params) error {
		return errors.Join(p.SetIndex(index), p.SetSignature(signature), p.SetPayloadSha256(payload[:]))
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return 0, err
	}
	return res.Bytes(), nil
}

// Done ends the archive and waits for the outcome.
func (k *Sink) Done(ctx context.Context) (Set, error) {
	answer, release := k.end.Done(ctx, nil)
	defer release()
	var switched func() error
	if k.switches {
		switched = switching(ctx, answer.System())
	}
	set, err := readDone(ctx, answer)
	if err != nil && switched != nil {
		switched() // it fails with the stage
	}
	set.switched = switched
	return set, err
}

func readDone(ctx context.Context, answer update.StageSink_done_Results_Future) (set Set, err error) {
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return Set{}, err
	}
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
