package logclient

import (
	"context"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	"nexus/daemons/vat"
)

// A link is the way to one sink of logd, through all of logd's lives.
type link struct {
	holding *vat.Holding
	child   string // whose sink it is, if not the process's own
}

// call runs f with the sink. When logd ends under it, f runs again with the next life's. It waits as long as ctx.
func (l link) call(ctx context.Context, f func(journal.LogSink) error) error {
	return l.holding.Call(ctx, func(provider capnp.Client) error { return l.with(ctx, provider, f) })
}

func (l link) with(ctx context.Context, provider capnp.Client, f func(journal.LogSink) error) error {
	own := journal.LogSink(provider)
	if l.child == "" {
		return f(own)
	}
	answer, release := own.ForSender(ctx, func(p journal.LogSink_forSender_Params) error { return p.SetName(l.child) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	sink := res.Sink()
	if !sink.IsValid() {
		return errors.New("cannot log for child: logd gave no sink")
	}
	return f(sink)
}

func write(ctx context.Context, sink journal.LogSink, b batch) error {
	answer, release := sink.Write(ctx, func(p journal.LogSink_write_Params) error {
		p.SetDropped(b.dropped)
		list, err := p.NewEntries(int32(len(b.entries)))
		if err != nil {
			return err
		}
		for i, e := range b.entries {
			if err := e.Encode(list.At(i)); err != nil {
				return err
			}
		}
		return nil
	})
	defer release()
	_, err := answer.Struct()
	return err
}

func mark(ctx context.Context, sink journal.LogSink, line string) error {
	answer, release := sink.Marker(ctx, func(p journal.LogSink_marker_Params) error { return p.SetLine(line) })
	defer release()
	_, err := answer.Struct()
	return err
}

func saveAll(ctx context.Context, sink journal.LogSink) (saved bool, err error) {
	answer, release := sink.Sync(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return false, err
	}
	return res.Saved(), nil
}
