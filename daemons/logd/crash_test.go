package logd_test

import (
	"strings"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

// crashOf is a crash report of a process, as a sender sends it.
func crashOf(process string, fields ...logclient.Field) logclient.Entry {
	return logclient.Entry{Level: journal.Level_error, Kind: journal.Kind_crash, Message: "crash",
		Fields: append([]logclient.Field{{Key: "process", Value: process}}, fields...)}
}

// A crash report has the last records of the process that ended, and of no other. It is there after a restart.
func TestCrashReportHasTheLastRecords(t *testing.T) {
	d := newDisk(t)
	k := d.start()
	for _, text := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		mustWrite(t, k.sink("updated"), message(journal.Level_info, text, logclient.Field{Key: "slot", Value: "b"}))
	}
	mustWrite(t, k.sink("initd"), info("of another"), crashOf("updated"))
	k.save()
	k.stop()
	k = d.start()
	crashes := query(t, k.journal(), func(f journal.Filter) error {
		kinds, err := f.NewKinds(1)
		if err == nil {
			kinds.Set(0, journal.Kind_crash)
		}
		return err
	})
	if len(crashes) != 1 {
		t.Fatalf("%d crash reports", len(crashes))
	}
	var want []string
	for _, text := range []string{"2", "3", "4", "5", "6", "7", "8", "9"} {
		want = append(want, "info "+text+" slot=b")
	}
	if got := crashes[0].entry.Value("records"); got != strings.Join(want, "\n") {
		t.Errorf("its last records are %q", got)
	}
}

// A crash report may be larger than other records, and is bounded. What a child calls a crash report is a message, and
// has the bound of one.
func TestCrashReportIsBounded(t *testing.T) {
	r := start(t)
	large := logclient.Field{Key: "trace", Value: strings.Repeat("x", 20_000)}
	mustWrite(t, r.sink("updated"), info(strings.Repeat("y", 4000)), info(strings.Repeat("z", 4000)))
	mustWrite(t, r.sink("initd"), crashOf("updated", large), crashOf("updated"))
	answer, release := r.sink("execd", "bundle").ForSender(t.Context(),
		func(p journal.LogSink_forSender_Params) error { return p.SetName("hello") })
	defer release()
	mustWrite(t, answer.Sink(), crashOf("updated", large))
	var sizes []int
	for _, rec := range query(t, r.journal(), nil)[2:] {
		sizes = append(sizes, rec.entry.Bytes())
	}
	if sizes[0] != 12288 || sizes[1] > 8192 || sizes[2] != 4096 {
		t.Errorf("reports of %d bytes", sizes)
	}
}
