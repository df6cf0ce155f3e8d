package selftest

import (
	"context"
	"errors"
	"fmt"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/audit"
	"nexus/libupdates/bootctl"
)

// crashReported waits until the journal has the report of the probe's end under the broken set, and checks what it
// says.
func (t *selftest) crashReported(ctx context.Context, broken bootctl.Digest) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		reports, _, err := t.records(ctx, journal.Kind_crash)
		for _, report := range reports {
			if report.Value("process") == "bundle:"+probe && report.Value("version") == brokenVersion {
				return checkReport(report, broken)
			}
		}
		if t.pause(ctx) != nil {
			return fmt.Errorf("cannot find the crash report of %s %s: %v", probe, brokenVersion, err)
		}
	}
}

// checkReport wants a report to say what ended, of which set, and how.
func checkReport(report logclient.Entry, broken bootctl.Digest) error {
	for key, want := range map[string]string{"set": broken.String(), "exit": "exit code 3", "code": "3"} {
		if got := report.Value(key); got != want {
			return fmt.Errorf("the crash report says %s %q, not %q", key, got, want)
		}
	}
	if report.Value("uptime") == "" || report.Value("slot") == "" {
		return fmt.Errorf("the crash report lacks the uptime or the slot: %v", report.Fields)
	}
	return nil
}

// verifyJournal hashes the chain of audit records, and wants it to hold and to go on from an earlier head.
func (t *selftest) verifyJournal(ctx context.Context, since audit.Head) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		chain, err := t.chain(ctx)
		if err == nil {
			found := audit.Verify(chain, &since)
			if len(found.Faults) > 0 || found.Last <= since.Number {
				return fmt.Errorf("the audit records from %s to %s are not a chain: %v", since, chain.Head, found.Faults)
			}
			return nil
		}
		if t.pause(ctx) != nil {
			return fmt.Errorf("cannot verify journal: %w", err)
		}
	}
}

// chain reads the chain of audit records, to which none may be added meanwhile. A run of the selftest adds fewer than
// one answer holds.
func (t *selftest) chain(ctx context.Context) (c audit.Chain, err error) {
	if c.Head, c.Oldest, err = t.head(ctx); err != nil {
		return c, err
	}
	if _, c.Records, err = t.records(ctx, journal.Kind_audit); err != nil {
		return c, err
	}
	now, _, err := t.head(ctx)
	if err == nil && now != c.Head {
		err = errors.New("records were added while it was read")
	}
	return c, err
}

// head asks for the head of the chain, and for the number of the oldest record that was not evicted.
func (t *selftest) head(ctx context.Context) (h audit.Head, oldest uint64, err error) {
	client, err := t.journal.Get(ctx)
	if err != nil {
		return h, 0, err
	}
	defer client.Release()
	answer, release := journal.Journal(client).Head(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return h, 0, err
	}
	m, err := res.Head()
	if err != nil {
		return h, 0, err
	}
	h.Number = m.Number()
	sum, err := m.Sha256()
	copy(h.Hash[:], sum)
	return h, max(res.Oldest(), 1), err
}

// records asks for the newest records of a kind, oldest first: what they say, and their links.
func (t *selftest) records(ctx context.Context, kind journal.Kind) (said []logclient.Entry, links []audit.Record,
	err error) {
	client, err := t.journal.Get(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer client.Release()
	answer, release := journal.Journal(client).Query(ctx, func(p journal.Journal_query_Params) error {
		filter, err := p.NewFilter()
		if err != nil {
			return err
		}
		kinds, err := filter.NewKinds(1)
		if err != nil {
			return err
		}
		kinds.Set(0, kind)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, nil, err
	}
	list, err := res.Records()
	for i := 0; err == nil && i < list.Len(); i++ {
		var entry logclient.Entry
		var link audit.Record
		entry, link, err = readRecord(list.At(i))
		said, links = append(said, entry), append(links, link)
	}
	return said, links, err
}

func readRecord(m journal.Record) (logclient.Entry, audit.Record, error) {
	link := audit.Record{Number: m.AuditNumber(), Sequence: m.Sequence(), Boot: m.Boot(), UnixMs: m.UnixMs()}
	said, err := m.Entry()
	if err != nil {
		return logclient.Entry{}, link, err
	}
	entry, err := logclient.ReadEntry(said)
	if err != nil {
		return entry, link, err
	}
	link.Level, link.Message = uint16(entry.Level), entry.Message
	for _, f := range entry.Fields {
		link.Fields = append(link.Fields, audit.Field(f))
	}
	if link.Sender, err = m.Sender(); err != nil {
		return entry, link, err
	}
	previous, err := m.PreviousSha256()
	copy(link.Previous[:], previous)
	return entry, link, err
}
