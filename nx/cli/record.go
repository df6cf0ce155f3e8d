package cli

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"nexus/capnpgen/journal"
)

// A record is one record of the journal.
type record struct {
	Sequence    uint64  `json:"sequence"`
	Time        string  `json:"time"`                  // RFC 3339, UTC, milliseconds, as the device's clock showed it
	ClockNotSet bool    `json:"clockNotSet,omitempty"` // that clock did not know the date
	Sender      string  `json:"sender"`
	Level       string  `json:"level"`
	Kind        string  `json:"kind"`
	Message     string  `json:"message"`
	Fields      []field `json:"fields"`
	Boot        uint32  `json:"boot"`
	Durable     bool    `json:"durable"`                  // it is on disk
	AuditNumber uint64  `json:"auditNumber,omitempty"`    // in the chain of audit records
	Previous    string  `json:"previousSha256,omitempty"` // of the audit record before it, in hex
}

func (r record) number() uint64 { return r.Sequence }

// scope is what the record is about: what its sender says, or the sender.
func (r record) scope() string {
	for _, f := range r.Fields {
		if f.Key == "scope" && f.Value != "" {
			return f.Value
		}
	}
	return r.Sender
}

// A field is one structured value. Fields keep the sender's order.
type field struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// readRecords reads the result of a message's getter.
func readRecords(list journal.Record_List, err error) ([]record, error) {
	if err != nil {
		return nil, err
	}
	var r reader
	var records []record
	for i := range r.Items(list.Len()) {
		records = append(records, r.record(list.At(i)))
	}
	return records, r.Err
}

func (r *reader) record(m journal.Record) record {
	entry, err := m.Entry()
	r.Note(err)
	previous, err := m.PreviousSha256()
	r.Note(err)
	return record{
		Sequence: m.Sequence(), Boot: m.Boot(), Durable: m.Durable(), AuditNumber: m.AuditNumber(),
		Previous: hex.EncodeToString(previous),
		Time:     timeText(m.UnixMs()), ClockNotSet: !clockSet(m.UnixMs()),
		Sender: r.Text(m.Sender()), Level: levelName(entry.Level()), Kind: nameOf(entry.Kind().String()),
		Message: r.Text(entry.Message_()), Fields: r.fields(entry.Fields()),
	}
}

func (r *reader) fields(list journal.Field_List, err error) []field {
	r.Note(err)
	fields := []field{}
	for i := range r.Items(list.Len()) {
		fields = append(fields, field{r.Text(list.At(i).Key()), r.Text(list.At(i).Value())})
	}
	return fields
}

// levelName returns a severity as it is shown; one that was not given is info.
func levelName(level journal.Level) string {
	if level == journal.Level_unspecified {
		level = journal.Level_info
	}
	return nameOf(level.String())
}

// line returns a record as text. What a sender wrote cannot leave its line, nor reach the terminal as a command.
func (r record) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s %s: %s", r.when(), r.Level, r.Sender, r.Message)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, " %s=%s", f.Key, quoted(f.Value))
	}
	return clean(b.String())
}

// when returns the time of a record; if the clock did not know the date, the time since it started at zero.
func (r record) when() string {
	if !r.ClockNotSet {
		return r.Time
	}
	return clockNotSet + strings.TrimPrefix(r.Time, "1970-01-01")
}

// quoted quotes a value that could be confused with the text around it.
func quoted(value string) string {
	if value == "" || strings.ContainsFunc(value, func(c rune) bool {
		return c == '"' || c == '=' ||
			unicode.IsSpace(c)
	}) {
		return strconv.Quote(value)
	}
	return value
}
