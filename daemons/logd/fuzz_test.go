package logd

import (
	"bytes"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/audit"
)

// FuzzSegment reads whatever may be on disk. What is accepted is within the bounds of the journal, and is the same
// after it was written and read again.
func FuzzSegment(f *testing.F) {
	r := newRing(inMemory())
	r.add(record{sender: "updated", unixMs: 7, boot: 1, entry: auditEntry("one")})
	r.add(record{sender: "bundle:hello", boot: 1, entry: logclient.Entry{Message: "two"}})
	r.add(record{sender: "initd", boot: 2, entry: crashEntry("updated")})
	for _, c := range []content{{}, {records: everything(r), head: r.head, oldest: 1, boot: 2, bootID: "id"}} {
		raw, err := encodeSegment(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
		f.Add(append(bytes.Clone(raw), raw...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decodeSegment(raw)
		if err != nil {
			return
		}
		if len(c.bootID) > maxBootID || c.head.Number > maxSequence || c.oldest > maxSequence {
			t.Errorf("accepted boot %q, head %v, oldest %d", c.bootID, c.head, c.oldest)
		}
		var chain []audit.Record
		for _, rec := range c.records {
			bound := int(journal.MaxRecordBytes)
			if rec.entry.Kind == journal.Kind_crash {
				bound = int(journal.MaxCrashBytes)
			}
			if rec.entry.Bytes() > bound || rec.sequence == 0 || len(rec.sender) > maxSender {
				t.Errorf("accepted a record of %d bytes, number %d", rec.entry.Bytes(), rec.sequence)
			}
			chain = append(chain, rec.link())
		}
		audit.Verify(audit.Chain{Records: chain, Oldest: c.oldest, Head: c.head}, &c.head)
		again, err := encodeSegment(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := decodeSegment(again); err != nil || len(d.records) != len(c.records) || d.head != c.head {
			t.Errorf("written and read again: %d records, head %v, error %v", len(d.records), d.head, err)
		}
	})
}
