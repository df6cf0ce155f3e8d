package cli

import (
	"context"
	"errors"
	"fmt"

	"nexus/capnpgen/journal"
)

// maxRecords is the most records that one query returns (schema/journal.capnp).
const maxRecords = 512

// logVerb shows the journal.
type logVerb struct {
	Follow bool   `short:"f" help:"Go on with each new record."`
	Sender string `placeholder:"S" help:"Only this sender: a daemon, or bundle:NAME."`
	Level  string `placeholder:"L" enum:"trace,debug,info,warn,error" default:"trace" help:"Only this severity and above: ${enum}."`
	Lines  uint32 `short:"n" placeholder:"N" default:"512" help:"The newest so many records, at most 512."`
	Since  string `placeholder:"TIME" help:"Only records from then on: a time (2006-01-02T15:04:05Z, or a beginning of it) or how long ago (10m)."`
	Losses bool   `help:"Show how much of each sender is kept and how much was lost, instead of records."`

	since  int64 // as milliseconds since 1970-01-01
	within uint64
}

// Run shows the records, oldest first; with --json one object per line.
func (v *logVerb) Run(ctx context.Context, in *invocation) error {
	if v.Lines < 1 || v.Lines > maxRecords {
		return wrongUsage("--lines must be 1 to %d", maxRecords)
	}
	if err := v.parseSince(); err != nil {
		return err
	}
	return in.with(ctx, func(s *session) error {
		if v.Losses {
			return in.showLosses(ctx, s)
		}
		if v.Follow {
			if err := v.follow(ctx, in, s); err != nil && ctx.Err() == nil {
				return cannot("follow log", "", err)
			}
			return nil // an operator's way to stop following is to interrupt it
		}
		records, err := v.query(ctx, s)
		if err != nil {
			return cannot("show log", "", err)
		}
		if err := in.printRecords(records); err != nil {
			return cannot("show log", "", err)
		}
		return nil
	})
}

// query asks for the newest records.
func (v *logVerb) query(ctx context.Context, s *session) ([]record, error) {
	log, done := s.journal(ctx)
	defer done()
	answer, release := log.Query(ctx, func(p journal.Journal_query_Params) error { return v.fill(p.NewFilter()) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	return readRecords(res.Records())
}

// fill sets the filter from the flags. It takes the results of the call that made the message.
func (v *logVerb) fill(m journal.Filter, err error) error {
	if err != nil {
		return err
	}
	m.SetMinLevel(journal.LevelFromString(v.Level))
	m.SetLimit(v.Lines)
	m.SetSinceUnixMs(v.since)
	m.SetWithinMs(v.within)
	return m.SetSender(v.Sender)
}

// follow shows records until ctx ends. When logd restarts, or the system under another core, it continues with records
// that were not shown yet.
func (v *logVerb) follow(ctx context.Context, in *invocation, s *session) error {
	var seen shown
	return s.persist(ctx, func() (heard, enough bool, err error) {
		heard, err = v.followOnce(ctx, in, s, &seen)
		return heard, false, err
	})
}

// followOnce follows one instance of logd.
func (v *logVerb) followOnce(ctx context.Context, in *invocation, s *session, seen *shown) (heard bool, err error) {
	log, done := s.journal(ctx)
	defer done()
	reader := &follower{in: in, seen: seen, failed: make(chan error, 1), gone: make(chan struct{})}
	answer, release := log.Follow(ctx, func(p journal.Journal_follow_Params) error {
		return errors.Join(v.fill(p.NewFilter()), p.SetFollower(journal.Follower_ServerToClient(reader)))
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		return false, s.unlessRefused(ctx, err)
	}
	select {
	case err := <-reader.failed:
		return true, err
	case <-reader.gone:
		return true, s.unlessOver(ctx)
	case <-s.conn.Done():
		return true, errGone
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// A follower prints records as they arrive. While it prints, logd holds back further records, or drops them.
type follower struct {
	in     *invocation
	seen   *shown
	failed chan error    // the first failure to print
	gone   chan struct{} // closed when logd let the follower go
}

// Records prints some records.
func (f *follower) Records(_ context.Context, call journal.Follower_records) error {
	records, err := readRecords(call.Args().Records())
	if err == nil {
		err = f.in.printRecords(f.seen.fresh(records))
	}
	if err != nil {
		select {
		case f.failed <- err:
		default:
		}
	}
	return err
}

// Shutdown is called when logd has released the follower or died.
func (f *follower) Shutdown() { close(f.gone) }

// printRecords prints a line per record: JSON with --json, else text.
func (in *invocation) printRecords(records []record) error {
	for _, r := range records {
		if in.json {
			if err := in.encode(r); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintln(in.host.Stdout, r.line()); err != nil {
			return err
		}
	}
	return nil
}
