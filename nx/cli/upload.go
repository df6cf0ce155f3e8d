package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"capnproto.org/go/capnp/v3/flowcontrol"

	"nexus/capnpgen/update"
	"nexus/daemons/wire"
)

// How an archive is sent: in chunks, of which so many bytes may be under way at one time.
const (
	chunkBytes  = 512 << 10
	windowBytes = 4 << 20
)

// A staged is a set in the standby slot.
type staged struct {
	Slot          string      `json:"slot"`
	SystemVersion string      `json:"systemVersion"`
	IndexSHA256   string      `json:"indexSha256"`
	Bundles       []bundleRef `json:"bundles"`

	system update.StagedSystem // the power to switch to it; whoever has it releases it
}

// upload stages a file. When it does not return a set, the system has discarded what it received.
func (s *session) upload(ctx context.Context, path string, show progress) (staged, error) {
	defer show.end()
	info, err := regular(path)
	if err != nil {
		return staged{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return staged{}, plain(err)
	}
	defer file.Close()

	updated, err := s.updated(ctx)
	if err != nil {
		return staged{}, err
	}
	defer updated.Release()
	answer, release := updated.StageSystem(ctx, func(p update.Updated_stageSystem_Params) error {
		p.SetSizeBytes(uint64(info.Size()))
		return p.SetProgress(update.StageProgress_ServerToClient(&progressServer{show}))
	})
	defer release() // the last reference to the sink: unless it is done, what it received is discarded
	res, err := answer.Struct()
	if err != nil {
		return staged{}, err
	}
	if err := wire.Refused(res.Refusal()); err != nil {
		return staged{}, err
	}
	return pour(ctx, res.Sink(), io.LimitReader(file, info.Size()))
}

// pour sends the archive. When the system stops taking it, done() says why.
func pour(ctx context.Context, sink update.StageSink, archive io.Reader) (staged, error) {
	if !sink.IsValid() {
		return staged{}, errGone
	}
	// A stream that failed takes no more calls through the reference it failed on, so done() goes over one of its own.
	end := sink.AddRef()
	defer end.Release()
	sink.SetFlowLimiter(flowcontrol.NewFixedLimiter(windowBytes))
	sendErr := send(ctx, sink, archive)
	if ctx.Err() != nil {
		return staged{}, context.Cause(ctx)
	}
	result, err := done(ctx, end)
	if err == nil && sendErr != nil {
		result.system.Release()
		err = sendErr // done() cannot accept what did not arrive; if it does, do not believe it
	}
	return result, err
}

func send(ctx context.Context, sink update.StageSink, archive io.Reader) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := io.ReadFull(archive, chunk)
		if n > 0 {
			if err := sink.Write(ctx, func(p update.StageSink_write_Params) error { return p.SetBytes(chunk[:n]) }); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return sink.WaitStreaming()
		default:
			return fmt.Errorf("cannot read archive: %w", plain(err))
		}
	}
}

func done(ctx context.Context, sink update.StageSink) (staged, error) {
	answer, release := sink.Done(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return staged{}, err
	}
	if err := wire.Refused(res.Refusal()); err != nil {
		return staged{}, err
	}
	return describe(ctx, res.System())
}

// describe asks what is staged. The caller keeps system, and releases the reference in the result.
func describe(ctx context.Context, system update.StagedSystem) (staged, error) {
	if !system.IsValid() {
		return staged{}, errGone
	}
	answer, release := system.Describe(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return staged{}, err
	}
	m, err := res.System()
	if err != nil {
		return staged{}, err
	}
	var r reader
	result := staged{
		Slot: slotName(m.Slot()), SystemVersion: r.text(m.SystemVersion()), IndexSHA256: r.digest(m.IndexSha256()),
		Bundles: r.bundleRefs(m.Bundles()),
	}
	if r.err != nil {
		return staged{}, r.err
	}
	result.system = system.AddRef()
	return result, nil
}
