package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nexus/capnpgen/journal"
	"nexus/packaging/printing"
)

// maxRecords is the most records that one query returns (schema/journal.capnp).
const maxRecords = 512

// logVerb is about the journal.
type logVerb struct {
	Show   logShowVerb   `cmd:"" default:"withargs" help:"Show records."`
	Verify logVerifyVerb `cmd:"" help:"Check the chain of audit records."`
	Head   logHeadVerb   `cmd:"" help:"Print the head of the chain of audit records, to check against it later."`
}

// logShowVerb shows records.
type logShowVerb struct {
	Follow  bool   `short:"f" help:"Keep printing new records as they come."`
	Sender  string `placeholder:"S" help:"Only this sender: a daemon, or a bundle (NAME or bundle:NAME)."`
	Scope   string `placeholder:"S" help:"Only this scope: what a sender calls a part of itself, else the sender."`
	Level   string `placeholder:"L" enum:"trace,debug,info,warn,error" default:"trace" help:"Only this severity and above: ${enum}."`
	Audit   bool   `help:"Only audit records."`
	Lines   uint32 `short:"n" placeholder:"N" default:"512" help:"How many of the newest records to show, at most 100000."`
	Since   string `placeholder:"TIME" help:"Only records from then on: a time (2006-01-02T15:04:05Z, or a beginning of it) or how long ago (10m)."`
	Until   string `placeholder:"TIME" help:"Only records from before this time, a time as for --since."`
	Boot    *int64 `short:"b" placeholder:"N" help:"Only records of this boot: its number, or 0 for the current one, -1 for the one before it."`
	Durable bool   `help:"Only records that are on disk."`
	Losses  bool   `help:"Show how much of each sender is kept and how much was lost, instead of records."`

	since, until int64 // as milliseconds since 1970-01-01
	within       uint64
	boot         uint32 // 0: any
}

// maxLines bounds the records of one answer, which this process keeps in memory.
const maxLines = 100_000

// Run shows the records, oldest first; with --json one object per line.
func (v *logShowVerb) Run(ctx context.Context, in *invocation) error {
	if v.Lines < 1 || v.Lines > maxLines {
		return wrongUsage("--lines must be 1 to %d", maxLines)
	}
	if err := v.parseTimes(); err != nil {
		return err
	}
	return in.with(ctx, func(s *session) error {
		if v.Losses {
			return in.showLosses(ctx, s)
		}
		v.findNames(ctx, in, s)
		if err := v.show(ctx, in, s); err != nil {
			return cannot("show log", "", err)
		}
		if !v.Follow {
			return nil
		}
		if err := v.follow(ctx, in, s); err != nil && ctx.Err() == nil {
			return cannot("follow log", "", err)
		}
		return nil // an operator's way to stop following is to interrupt it
	})
}

// findNames lets a bundle be named without `bundle:` as a sender or scope, and says who there is if the journal knows
// nobody of that name. If the journal does not answer this, it will not answer what follows either.
func (v *logShowVerb) findNames(ctx context.Context, in *invocation, s *session) {
	ctx, cancel := patient(ctx)
	defer cancel()
	for _, name := range []struct {
		asked *string
		none  string
		known func(context.Context, *session, string) ([]string, error)
	}{
		{&v.Sender, "nothing in the journal is from %s; its senders are %s", sendersOf},
		{&v.Scope, "nothing in the journal has the scope %s; the newest records have %s", scopesOf},
	} {
		if *name.asked == "" {
			continue
		}
		names, err := name.known(ctx, s, *name.asked)
		switch bundle := "bundle:" + *name.asked; {
		case err != nil, slices.Contains(names, *name.asked):
		case slices.Contains(names, bundle):
			*name.asked = bundle
		default:
			fmt.Fprintf(in.host.Stderr, "note: "+name.none+"\n", clean(*name.asked), clean(strings.Join(names, ", ")))
		}
	}
}

// sendersOf returns all senders of the journal.
func sendersOf(ctx context.Context, s *session, _ string) (names []string, err error) {
	all, err := readLosses(ctx, &s.facets)
	for _, t := range all.Senders {
		names = append(names, t.Sender)
	}
	return names, err
}

// scopesOf returns the scopes of the newest records, and of older ones those that may be meant by a name.
func scopesOf(ctx context.Context, s *session, asked string) (names []string, err error) {
	log, done := s.journal(ctx)
	defer done()
	for _, scope := range []string{"", asked, "bundle:" + asked} {
		n := 1
		if scope == "" {
			n = maxRecords
		}
		records, err := pages(ctx, log, n, func(m journal.Filter) error { return m.SetScope(scope) }, readRecords)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			names = append(names, r.scope())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// show shows what there is, unless a follower does.
func (v *logShowVerb) show(ctx context.Context, in *invocation, s *session) error {
	if v.Follow && v.Boot == nil {
		return nil
	}
	log, done := s.journal(ctx)
	defer done()
	if err := v.findBoot(ctx, log); err != nil || v.Follow {
		return err
	}
	records, err := pages(ctx, log, int(v.Lines), v.fill, readRecords)
	if err != nil {
		return err
	}
	return in.printRecords(records)
}

// pages asks for the newest n records, as many times as it takes.
func pages[R interface{ number() uint64 }](ctx context.Context, log journal.Journal, n int,
	fill func(journal.Filter) error, read func(journal.Record_List, error) ([]R, error)) (all []R, err error) {
	var parts [][]R
	for before := uint64(0); n > 0; {
		var page []R
		asked := min(n, maxRecords)
		answer, release := log.Query(ctx, func(p journal.Journal_query_Params) error {
			m, err := p.NewFilter()
			if err != nil {
				return err
			}
			m.SetLimit(uint32(asked))
			m.SetBeforeSequence(before)
			return fill(m)
		})
		res, err := answer.Struct()
		if err == nil {
			page, err = read(res.Records())
		}
		release()
		if err != nil {
			return nil, err
		}
		if before != 0 && len(page) > 0 && page[len(page)-1].number() >= before { // an older logd knows no pages
			break
		}
		parts, n = append(parts, page), n-len(page)
		if len(page) < asked {
			break
		}
		before = page[0].number()
	}
	slices.Reverse(parts)
	return slices.Concat(parts...), nil
}

// findBoot finds the number of the boot that --boot names.
func (v *logShowVerb) findBoot(ctx context.Context, log journal.Journal) error {
	if v.Boot == nil {
		return nil
	}
	answer, release := log.Stats(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	stats, err := res.Stats()
	if err != nil {
		return err
	}
	number := *v.Boot
	if number <= 0 {
		number += int64(stats.Boot())
	}
	if number < 1 || number > int64(stats.Boot()) {
		return wrongUsage("--boot %d: this is boot %d, and boots are counted from 1", *v.Boot, stats.Boot())
	}
	v.boot = uint32(number)
	return nil
}

// fill sets the filter from the flags, but for how many records.
func (v *logShowVerb) fill(m journal.Filter) error {
	m.SetMinLevel(journal.LevelFromString(v.Level))
	m.SetSinceUnixMs(v.since)
	m.SetUntilUnixMs(v.until)
	m.SetWithinMs(v.within)
	m.SetBoot(v.boot)
	m.SetDurableOnly(v.Durable)
	if v.Audit {
		if err := onlyAudit(m); err != nil {
			return err
		}
	}
	return errors.Join(m.SetSender(v.Sender), m.SetScope(v.Scope))
}

// onlyAudit restricts a filter to audit records.
func onlyAudit(m journal.Filter) error { return onlyKind(m, journal.Kind_audit) }

// onlyKind restricts a filter to one kind.
func onlyKind(m journal.Filter, kind journal.Kind) error {
	kinds, err := m.NewKinds(1)
	if err == nil {
		kinds.Set(0, kind)
	}
	return err
}

// follow shows records until ctx ends. When logd restarts, or the system under another core, it continues with records
// that were not shown yet.
func (v *logShowVerb) follow(ctx context.Context, in *invocation, s *session) error {
	var seen shown
	return s.persist(ctx, func() (heard, enough bool, err error) {
		heard, err = v.followOnce(ctx, in, s, &seen)
		return heard, false, err
	})
}

// followOnce follows one instance of logd.
func (v *logShowVerb) followOnce(ctx context.Context, in *invocation, s *session, seen *shown) (heard bool, err error) {
	log, done := s.journal(ctx)
	defer done()
	reader := &follower{in: in, seen: seen, failed: make(chan error, 1), gone: make(chan struct{})}
	answer, release := log.Follow(ctx, func(p journal.Journal_follow_Params) error {
		m, err := p.NewFilter()
		if err != nil {
			return err
		}
		m.SetLimit(min(v.Lines, maxRecords))
		return errors.Join(v.fill(m), p.SetFollower(journal.Follower_ServerToClient(reader)))
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
	if missed := call.Args().Missed(); err == nil && missed > 0 {
		err = f.in.printMissed(missed)
	}
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

// printMissed says that this process was too slow for some records, which logd could not keep for it.
func (t *terminal) printMissed(n uint64) error {
	if t.json {
		return printing.JSON(t.host.Stdout, missed{n})
	}
	_, err := fmt.Fprintf(t.host.Stderr, "nx: %d records came faster than they were taken, and were missed\n", n)
	return err
}

// A missed stands for records that a follower did not get.
type missed struct {
	Missed uint64 `json:"missed"`
}

// printRecords prints a line per record: JSON with --json, else text.
func (t *terminal) printRecords(records []record) error {
	for _, r := range records {
		if t.json {
			if err := printing.JSON(t.host.Stdout, r); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintln(t.host.Stdout, r.line()); err != nil {
			return err
		}
	}
	return nil
}
