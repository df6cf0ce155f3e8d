package logd

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/audit"
)

func entryOf(size int) logclient.Entry { return logclient.Entry{Message: strings.Repeat("x", size)} }

func auditEntry(text string) logclient.Entry {
	return logclient.Entry{Kind: journal.Kind_audit, Level: journal.Level_info, Message: text}
}

func crashEntry(process string) logclient.Entry {
	return logclient.Entry{Kind: journal.Kind_crash, Level: journal.Level_error, Message: "crash",
		Fields: []logclient.Field{{Key: "process", Value: process}}}
}

// everything returns what a ring holds.
func everything(r *ring) []record {
	found, _ := r.from(0, filter{}, math.MaxInt)
	return found
}

// keptOf counts what a ring holds of a sender.
func keptOf(r *ring, sender string) (n int) {
	for _, rec := range everything(r) {
		if rec.sender == sender {
			n++
		}
	}
	return n
}

func TestRingKeepsTheNewestByCount(t *testing.T) {
	r := newRing(inMemory())
	most := inMemory()[shareDaemons].records
	for range most + 3 {
		r.add(record{})
	}
	if r.kept() != most || r.dropped != 3 {
		t.Fatalf("kept %d, dropped %d; want %d, 3", r.kept(), r.dropped, most)
	}
	for i, rec := range everything(r) {
		if want := uint64(4 + i); rec.sequence != want {
			t.Fatalf("record %d has sequence %d, want %d", i, rec.sequence, want)
		}
	}
}

func TestRingKeepsTheNewestByBytes(t *testing.T) {
	r := newRing(inMemory())
	each, most := record{entry: entryOf(4096)}, inMemory()[shareDaemons].bytes
	fit := most / each.cost()
	for i := range 2 * fit {
		r.add(each)
		if r.used[shareDaemons].bytes > most {
			t.Fatalf("after %d records the share holds %d bytes", i+1, r.used[shareDaemons].bytes)
		}
	}
	if r.kept() != fit || r.dropped != uint64(fit) {
		t.Errorf("kept %d, dropped %d; want %d of each", r.kept(), r.dropped, fit)
	}
}

// Fields without text cost memory, too.
func TestRingCountsEmptyFields(t *testing.T) {
	b := bounds{records: 2048, bytes: 1 << 20}
	r := newRing([shares]bounds{shareDaemons: b})
	for range 8192 {
		r.add(record{entry: logclient.Entry{Fields: make([]logclient.Field, 32)}})
	}
	if r.kept() >= b.records || r.used[shareDaemons].bytes > b.bytes {
		t.Errorf("kept %d records of 32 fields each as %d bytes", r.kept(), r.used[shareDaemons].bytes)
	}
}

// Whoever floods one share pushes out nothing of another, and within its own share nobody who takes less than it does.
func TestFloodTakesNothingOfOthers(t *testing.T) {
	for _, flood := range []record{
		{sender: "bundle:noisy", entry: entryOf(100)},
		{sender: "packagefsd", entry: entryOf(100)},
		{sender: "packagefsd", entry: crashEntry("packagefsd")},
	} {
		t.Run(flood.sender+" "+flood.entry.Kind.String(), func(t *testing.T) {
			r := newRing(inMemory())
			for i := range 100 {
				r.add(record{sender: "updated", entry: auditEntry(fmt.Sprint(i))})
				r.add(record{sender: "execd", entry: crashEntry("bundle:quiet")})
				r.add(record{sender: "initd", entry: entryOf(10)})
				r.add(record{sender: "bundle:quiet", entry: entryOf(10)})
			}
			for range 20_000 {
				r.add(flood)
			}
			for _, sender := range []string{"updated", "execd", "initd", "bundle:quiet"} {
				if got := keptOf(r, sender); got != 100 {
					t.Errorf("%d records of %s are left of 100", got, sender)
				}
			}
			for _, tally := range r.tallies() {
				if noisy := tally.sender == flood.sender; noisy != (tally.dropped > 0) || tally.kept == 0 {
					t.Errorf("%s: kept %d, dropped %d", tally.sender, tally.kept, tally.dropped)
				}
			}
		})
	}
}

// The crash reports of one process leave room for those of others, whoever reports them.
func TestCrashReportsOfOneProcessLeaveRoom(t *testing.T) {
	r := newRing(inMemory())
	r.add(record{sender: "execd", entry: crashEntry("bundle:rare")})
	for range 20_000 {
		r.add(record{sender: "execd", entry: crashEntry("bundle:often")})
	}
	if first := everything(r)[0].entry.Value("process"); first != "bundle:rare" {
		t.Errorf("the oldest crash report is of %s", first)
	}
}

// Whatever is evicted, what is left of the chain of audit records has no gaps and ends with the head.
func TestAuditRecordsLeaveInTheirOrder(t *testing.T) {
	r := newRing(inMemory())
	senders := []string{"updated", "updated", "updated", "initd"}
	for i := range 10_000 {
		r.add(record{sender: senders[i%len(senders)], entry: auditEntry(fmt.Sprint(i))})
		r.add(record{sender: "initd", entry: entryOf(10)})
	}
	var chain []audit.Record
	for _, rec := range everything(r) {
		if rec.number != 0 {
			chain = append(chain, rec.link())
		}
	}
	report := audit.Verify(audit.Chain{Records: chain, Oldest: r.oldest, Head: r.head}, nil)
	if len(report.Faults) != 0 || report.Records != inMemory()[shareAudit].records || report.Last != 10_000 {
		t.Errorf("%+v", report)
	}
}

// With many senders each keeps about as much as any other.
func TestSendersShareTheirShare(t *testing.T) {
	r := newRing(inMemory())
	for i := range 50_000 {
		r.add(record{sender: fmt.Sprintf("bundle:%d", i%16), entry: entryOf(50)})
	}
	for i := range 16 {
		if got, fair := keptOf(r, fmt.Sprintf("bundle:%d", i)), r.kept()/16; got < fair-2 || got > fair+2 {
			t.Errorf("bundle:%d has %d records, about %d are fair", i, got, fair)
		}
	}
}

func TestLostNeverOverflows(t *testing.T) {
	r := newRing(inMemory())
	for _, n := range []uint64{1, math.MaxUint64, 5, math.MaxUint64} {
		r.lost("x", n)
	}
	if r.dropped != math.MaxUint64 || r.lostBy["x"] != math.MaxUint64 {
		t.Errorf("dropped %d, of x %d, want the limit", r.dropped, r.lostBy["x"])
	}
}

// The counters by sender are bounded, and who lost the most stays in them.
func TestLosersAreBounded(t *testing.T) {
	r := newRing(inMemory())
	r.lost("most", 1000)
	for i := range 3 * maxLosers {
		r.lost(fmt.Sprintf("sender %d", i), 1)
	}
	if len(r.lostBy) != maxLosers || r.lostBy["most"] != 1000 || r.dropped != 1000+3*maxLosers {
		t.Errorf("%d senders, most has %d, dropped %d", len(r.lostBy), r.lostBy["most"], r.dropped)
	}
}
