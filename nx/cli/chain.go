package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"nexus/capnpgen/journal"
	"nexus/libupdates/audit"
	"nexus/libupdates/refusal"
)

// logHeadVerb prints the head of the chain of audit records.
type logHeadVerb struct{}

// A chainHead is the head for JSON.
type chainHead struct {
	Head   string `json:"head"` // as `nx log verify --since` takes it
	Number uint64 `json:"number"`
	SHA256 string `json:"sha256"`
}

// Run asks for the head.
func (*logHeadVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		log, done := s.journal(ctx)
		defer done()
		head, _, err := headOf(ctx, log)
		if err != nil {
			return cannot("show head", "", err)
		}
		return in.answer(chainHead{head.String(), head.Number, head.Hash.String()},
			func(w io.Writer) { fmt.Fprintln(w, head) })
	})
}

// headOf asks for the head, and for the number of the oldest record that was not evicted.
func headOf(ctx context.Context, log journal.Journal) (h audit.Head, oldest uint64, err error) {
	answer, release := log.Head(ctx, nil)
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
	h.Hash, err = readHash(m.Sha256())
	return h, max(res.Oldest(), 1), err
}

// readHash takes the result of a message's getter.
func readHash(raw []byte, err error) (h audit.Hash, _ error) {
	if err == nil && len(raw) != len(h) {
		err = fmt.Errorf("a hash of %d bytes, not %d", len(raw), len(h))
	}
	copy(h[:], raw)
	return h, err
}

// logVerifyVerb checks the chain of audit records. This process hashes them itself, so that logd need not be believed
// about what it holds.
type logVerifyVerb struct {
	Since string `placeholder:"HEAD" help:"Also check against this head, which nx log head printed earlier."`
}

// A chainReport is what a check found.
type chainReport struct {
	Head    string       `json:"head"`
	Records int          `json:"records"`
	First   uint64       `json:"first"` // 0: there is none
	Last    uint64       `json:"last"`
	Faults  []chainFault `json:"faults"`
}

// A chainFault is one place where the chain does not hold.
type chainFault struct {
	Kind     string `json:"kind"`
	First    uint64 `json:"first"` // the number of the first record concerned
	Last     uint64 `json:"last"`
	Sequence uint64 `json:"sequence,omitempty"` // in the journal
	Detail   string `json:"detail"`
}

// Run checks the chain. It fails after the output if the chain does not hold.
func (v *logVerifyVerb) Run(ctx context.Context, in *invocation) error {
	var since *audit.Head
	if v.Since != "" {
		head, err := audit.ParseHead(v.Since)
		if err != nil {
			return wrongUsage("--since %v", err)
		}
		since = &head
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		log, done := s.journal(ctx)
		defer done()
		c, err := chainOf(ctx, log)
		if err != nil {
			return cannot("verify journal", "", err)
		}
		found := audit.Verify(c, since)
		if err := in.answer(reportOf(found, c.Head), func(w io.Writer) { printReport(w, found, c.Head) }); err != nil {
			return err
		}
		if len(found.Faults) == 0 {
			return nil
		}
		in.json = false // the answer says it already
		return cannot("verify", "journal", refusedBy(found))
	})
}

// maxLooks bounds how often the journal is read until no audit record was added meanwhile.
const maxLooks = 20

var errBusy = errors.New("audit records are added faster than they can be read")

// chainOf reads the chain, and the head that belongs to it.
func chainOf(ctx context.Context, log journal.Journal) (c audit.Chain, err error) {
	for range maxLooks {
		if c.Head, c.Oldest, err = headOf(ctx, log); err != nil {
			return c, err
		}
		linked, err := pages(ctx, log, maxLines, onlyAudit, readLinked)
		if err != nil {
			return c, err
		}
		head, oldest, err := headOf(ctx, log)
		if err != nil {
			return c, err
		}
		if head != c.Head || oldest != c.Oldest {
			continue
		}
		for _, r := range linked {
			if r.Number != 0 { // else it is of a version without the chain
				c.Records = append(c.Records, r.Record)
			}
		}
		return c, nil
	}
	return c, errBusy
}

// A linked is an audit record of the chain, as it came.
type linked struct{ audit.Record }

func (l linked) number() uint64 { return l.Sequence }

// readLinked reads the result of a message's getter.
func readLinked(list journal.Record_List, err error) ([]linked, error) {
	if err != nil {
		return nil, err
	}
	var r reader
	var all []linked
	for i := range r.Items(list.Len()) {
		all = append(all, linked{r.linked(list.At(i))})
	}
	return all, r.Err
}

func (r *reader) linked(m journal.Record) audit.Record {
	entry, err := m.Entry()
	r.Note(err)
	record := audit.Record{
		Number: m.AuditNumber(), Sequence: m.Sequence(), Boot: m.Boot(), UnixMs: m.UnixMs(),
		Sender: r.Text(m.Sender()), Level: uint16(entry.Level()), Message: r.Text(entry.Message_()),
	}
	for _, f := range r.fields(entry.Fields()) {
		record.Fields = append(record.Fields, audit.Field(f))
	}
	if record.Number != 0 {
		record.Previous, err = readHash(m.PreviousSha256())
		r.Note(err)
	}
	return record
}

func reportOf(found audit.Report, head audit.Head) chainReport {
	report := chainReport{head.String(), found.Records, found.First, found.Last, []chainFault{}}
	for _, f := range found.Faults {
		report.Faults = append(report.Faults, chainFault{string(f.Kind), f.Number, f.Last, f.Sequence, f.String()})
	}
	return report
}

func printReport(w io.Writer, found audit.Report, head audit.Head) {
	for _, f := range found.Faults {
		if f.Sequence != 0 {
			fmt.Fprintf(w, "%s (at sequence %d of the journal)\n", f, f.Sequence)
		} else {
			fmt.Fprintln(w, f)
		}
	}
	if len(found.Faults) > 0 {
		return
	}
	if found.Records == 0 {
		fmt.Fprintln(w, "there are no audit records")
		return
	}
	fmt.Fprintf(w, "audit records %d to %d are as they were written; the head is %s\n", found.First, found.Last, head)
}

// refusedBy returns why a chain is not accepted.
func refusedBy(found audit.Report) error {
	first := found.Faults[0]
	for _, f := range found.Faults {
		if f.Kind != audit.NotKept {
			first = f
			break
		}
	}
	if first.Kind == audit.NotKept {
		return refusal.New(refusal.HeadNotKept, "%s", first)
	}
	return refusal.New(refusal.JournalAltered, "%s", first)
}
