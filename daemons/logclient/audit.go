package logclient

import (
	"strconv"
	"strings"

	"nexus/capnpgen/journal"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// Results of an audited step.
const (
	ResultOK      = "ok"
	ResultRefused = "refused"
	ResultFailed  = "failed"
)

// An Audit is the record of one step that changes what runs, whether it was done or not.
type Audit struct {
	Op      string // e.g. `stage`
	App     string // the package of apps that is concerned; empty: none is
	Slot    string // `a`, `b`, or "" where none is concerned
	Version string // of the set
	Digest  string // of the set's index, in hex
	Size    uint64 // of the archive, bytes; 0 where there was none
	Reused  int64  // bytes of it that were in place already
	Result  string // one of the results
	Reason  string // stable code when it was not done; for a rollback why it was
	Detail  string // one line for people
	By      Caller // who asked for it
}

// A Caller is who asked for a step. The zero Caller is the system itself.
type Caller struct {
	Role        string // of an operator, or the name of a daemon
	Connection  string // which of the connections with that role
	Attenuation string // the methods that each attenuation of its Operator gave up, such as `stop,reboot; exec`
}

// CallerOf returns the client of a served facet.
func CallerOf(c vat.Client) Caller {
	return Caller{c.Name, c.Connection, strings.Join(c.GivenUp, "; ")}
}

// Outcome returns the record of a step that was done, or that ended with this error: then its text follows the detail.
// What is not a refusal is a failure.
func (a Audit) Outcome(err error) Audit {
	a.Result = ResultOK
	if err == nil {
		return a
	}
	a.Result, a.Reason = ResultRefused, string(refusal.Of(err))
	if a.Reason == string(refusal.IO) {
		a.Result = ResultFailed
	}
	if a.Detail != "" {
		a.Detail += ": "
	}
	a.Detail += refusal.DetailOf(err)
	return a
}

// Audit records a step. The scope is the log's name. Every audit record has the same fields in the same order, whether
// or not they have a value; `app` and those from `reused` on are there only when given.
func (l *Log) Audit(a Audit) { l.queue.add(a.Entry(l.Name())) }

// Entry returns the audit record as a sender's log of this name has it.
func (a Audit) Entry(scope string) Entry {
	e := Entry{Level: levelOfResult(a.Result), Kind: journal.Kind_audit, Message: "audit", Fields: []Field{
		{"scope", scope},
		{"op", a.Op},
		{"slot", a.Slot},
		{"version", a.Version},
		{"size", strconv.FormatUint(a.Size, 10)},
		{"digest", a.Digest},
		{"result", a.Result},
		{"reason", a.Reason},
	}}
	if a.App != "" {
		e.Fields = append(e.Fields, Field{"app", a.App})
	}
	if a.Reused != 0 {
		e.Fields = append(e.Fields, Field{"reused", strconv.FormatInt(a.Reused, 10)})
	}
	if a.Detail != "" {
		e.Fields = append(e.Fields, Field{"detail", a.Detail})
	}
	for _, f := range []Field{{"role", a.By.Role}, {"connection", a.By.Connection}, {"attenuation", a.By.Attenuation}} {
		if f.Value != "" {
			e.Fields = append(e.Fields, f)
		}
	}
	return e
}

func levelOfResult(result string) journal.Level {
	switch result {
	case ResultOK:
		return journal.Level_info
	case ResultRefused:
		return journal.Level_warn
	default:
		return journal.Level_error
	}
}
