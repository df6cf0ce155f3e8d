package logd_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/libupdates/audit"
)

// chain asks for all audit records and the head, and verifies them as a reader does.
func chain(t *testing.T, j journal.Journal, since *audit.Head) (audit.Report, audit.Head) {
	t.Helper()
	var c audit.Chain
	for _, r := range query(t, j, func(f journal.Filter) error {
		kinds, err := f.NewKinds(1)
		if err == nil {
			kinds.Set(0, journal.Kind_audit)
		}
		return err
	}) {
		linked := audit.Record{Number: r.number, Previous: r.previous, Sequence: r.sequence, Boot: r.boot,
			UnixMs: r.unixMs, Sender: r.sender, Level: uint16(r.entry.Level), Message: r.entry.Message}
		for _, f := range r.entry.Fields {
			linked.Fields = append(linked.Fields, audit.Field(f))
		}
		c.Records = append(c.Records, linked)
	}
	answer, release := j.Head(t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	m, err := res.Head()
	if err != nil {
		t.Fatal(err)
	}
	c.Head, c.Oldest = audit.Head{Number: m.Number(), Hash: hashOf(t, m.Sha256)}, res.Oldest()
	return audit.Verify(c, since), c.Head
}

func hashOf(t testing.TB, get func() ([]byte, error)) (h audit.Hash) {
	t.Helper()
	raw, err := get()
	if err != nil || len(raw) != len(h) {
		t.Fatalf("a hash of %d bytes, error %v", len(raw), err)
	}
	return audit.Hash(raw)
}

func faults(r audit.Report) string {
	var lines []string
	for _, f := range r.Faults {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "; ")
}

func TestChainOfAuditRecords(t *testing.T) {
	r := start(t)
	if report, head := chain(t, r.journal(), nil); report.Records != 0 || head != (audit.Head{}) {
		t.Errorf("before any: %+v, head %v", report, head)
	}
	mustWrite(t, r.sink("updated"), auditOf("one"), info("between"), auditOf("two"))
	mustWrite(t, r.sink("initd"), auditOf("three"))
	report, head := chain(t, r.journal(), nil)
	if faults(report) != "" || report.Records != 3 || head.Number != 3 {
		t.Errorf("%+v, head %v", report, head)
	}
	for _, rec := range query(t, r.journal(), of("updated")) {
		if linked := rec.number != 0; linked != (rec.entry.Kind == journal.Kind_audit) {
			t.Errorf("%q has number %d", rec.entry.Message, rec.number)
		}
	}
}

// The chain and the count of boots go on over restarts of the system. A restart of logd alone begins no boot.
func TestChainGoesOnOverBoots(t *testing.T) {
	d := newDisk(t)
	var heads []audit.Head
	for i, boot := range []string{"first", "second", "second", "third"} {
		k := d.startBoot(boot)
		mustWrite(t, k.sink("updated"), auditOf(boot))
		k.save()
		report, head := chain(t, k.journal(), nil)
		if faults(report) != "" || report.Records != i+1 || head.Number != uint64(i+1) {
			t.Errorf("start %d: %+v, head %v", i+1, report, head)
		}
		heads = append(heads, head)
		for _, since := range heads {
			if report, _ := chain(t, k.journal(), &since); faults(report) != "" {
				t.Errorf("start %d, since %v: %s", i+1, since, faults(report))
			}
		}
		k.stop()
	}
	k := d.startBoot("third")
	var boots []uint32
	for _, r := range query(t, k.journal(), of("updated")) {
		boots = append(boots, r.boot)
	}
	if !slices.Equal(boots, []uint32{1, 2, 2, 3}) {
		t.Errorf("the records are of boots %d", boots)
	}
	if got := texts(query(t, k.journal(), func(f journal.Filter) error {
		f.SetBoot(2)
		return f.SetSender("updated")
	})); !slices.Equal(got, []string{"second", "second"}) {
		t.Errorf("boot 2 has %q", got)
	}
}

// What is done to the journal on disk while the system is down shows in the chain.
func TestTamperingShows(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(segments []string) error
		want   string
	}{
		"nothing":            {func([]string) error { return nil }, ""},
		"a segment removed":  {func(s []string) error { return os.Remove(s[1]) }, "record 2 was removed"},
		"the newest removed": {func(s []string) error { return os.Remove(s[2]) }, "record 3 was removed"},
		"the oldest removed": {func(s []string) error { return os.Remove(s[0]) }, "record 1 was removed"},
		"one in another place": {func(s []string) error { return os.Rename(s[0], s[1]) },
			"records 1 to 2 were removed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			for range 3 { // each instance has a segment of its own
				k := d.start()
				mustWrite(t, k.sink("updated"), auditOf("audited"))
				k.save()
				mustWrite(t, k.sink("updated"), info("said")) // its segment has the head
				k.save()
				k.stop()
			}
			if err := c.tamper(d.segments("audit")); err != nil {
				t.Fatal(err)
			}
			k := d.start()
			if report, _ := chain(t, k.journal(), nil); faults(report) != c.want {
				t.Errorf("%q, want %q", faults(report), c.want)
			}
			mustWrite(t, k.sink("updated"), auditOf("goes on"))
			if _, head := chain(t, k.journal(), nil); head.Number != 4 {
				t.Errorf("the chain goes on to %v", head)
			}
		})
	}
}

// A record says whether it is on disk.
func TestDurableRecords(t *testing.T) {
	d := newDisk(t)
	k := d.start()
	mustWrite(t, k.sink("updated"), auditOf("one"), info("two"))
	k.save()
	durable := func(k keeper) (got []string) {
		return texts(query(t, k.journal(), func(f journal.Filter) error {
			f.SetDurableOnly(true)
			return f.SetSender("updated")
		}))
	}
	if got := durable(k); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("on disk are %q", got)
	}
	k.state.Stop()
	mustWrite(t, k.sink("updated"), info("three"))
	if got := durable(k); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("without a disk there are %q on it", got)
	}
	k.stop()
	k = d.start()
	if got := durable(k); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("after a restart %q are on disk", got)
	}
	if got := durable(keeper{rig: start(t)}); len(got) != 0 {
		t.Errorf("without state %q are on disk", got)
	}
}

func TestFilterByScopeAndPlace(t *testing.T) {
	r := start(t)
	scope := []logclient.Field{{Key: "scope", Value: "updated.stage"}}
	mustWrite(t, r.sink("updated"), info("1"), message(journal.Level_info, "2", scope...), info("3"))
	for name, c := range map[string]struct {
		set  func(journal.Filter) error
		want string
	}{
		"scope":            {func(f journal.Filter) error { return f.SetScope("updated.stage") }, "2"},
		"sender as scope":  {func(f journal.Filter) error { return f.SetScope("updated") }, "1 3"},
		"unknown scope":    {func(f journal.Filter) error { return f.SetScope("stage") }, ""},
		"before":           {func(f journal.Filter) error { f.SetBeforeSequence(3); return nil }, "1 2"},
		"before, the last": {func(f journal.Filter) error { f.SetBeforeSequence(3); f.SetLimit(1); return nil }, "2"},
		"until":            {func(f journal.Filter) error { f.SetUntilUnixMs(1_700_000_000_000); return nil }, ""},
		"until later": {func(f journal.Filter) error { f.SetUntilUnixMs(1_700_000_000_001); return nil },
			"1 2 3"},
		"another boot":      {func(f journal.Filter) error { f.SetBoot(2); return nil }, ""},
		"this boot":         {func(f journal.Filter) error { f.SetBoot(1); return nil }, "1 2 3"},
		"none is on a disk": {func(f journal.Filter) error { f.SetDurableOnly(true); return nil }, ""},
	} {
		if got := strings.Join(texts(query(t, r.journal(), c.set)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
