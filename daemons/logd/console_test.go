package logd_test

import (
	"slices"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

func TestConsoleLines(t *testing.T) {
	field := func(key, value string) logclient.Field { return logclient.Field{Key: key, Value: value} }
	for _, c := range []struct {
		name  string
		entry logclient.Entry
		want  []string
	}{
		{"debug", message(journal.Level_debug, "quiet"), nil},
		{"info", message(journal.Level_info, "quiet"), nil},
		{"no level", message(journal.Level_unspecified, "quiet"), nil},
		{"warning", message(journal.Level_warn, "cannot register", field("error", "no")),
			[]string{"updated: [warn] cannot register error=no"}},
		{"error", message(journal.Level_error, "gone"), []string{"updated: [error] gone"}},
		{"values in need of quotes", message(journal.Level_warn, "m", field("a", ""), field("b", "x y"),
			field("c", `"`), field("d e", "f=g")),
			[]string{`updated: [warn] m a="" b="x y" c="\"" "d e"="f=g"`}},
		{"control characters", message(journal.Level_warn, "a\nupdated: ready\x1b[2J\u202e\x00", field("k", "v\r\nw"),
			field("\t", "\u2028")),
			[]string{`updated: [warn] a\nupdated: ready\x1b[2J\u202e\x00 k="v\r\nw" "\t"="\u2028"`}},
		{"beyond ASCII", message(journal.Level_warn, `für "dich" \`), []string{`updated: [warn] für "dich" \\`}},
		{"audit", logclient.Entry{Level: journal.Level_info, Kind: journal.Kind_audit, Message: "audit",
			Fields: []logclient.Field{
				field("scope", "updated"), field("op", "stage"), field("slot", "b"), field("version", "1.1.0"),
				field("size", "4096"),
				field("digest", "00ff"), field("result", "ok"), field("reason", "")}},
			[]string{"updated: audit op=stage slot=b version=1.1.0 result=ok"}},
		{"refused audit", logclient.Entry{Level: journal.Level_warn, Kind: journal.Kind_audit, Message: "audit",
			Fields: []logclient.Field{
				field("op", "stage"), field("result", "refused"), field("reason", "unsigned"),
				field("detail", "a\nb")}},
			[]string{"updated: audit op=stage result=refused reason=unsigned"}},
		{"crash", logclient.Entry{Level: journal.Level_error, Kind: journal.Kind_crash, Message: "crash",
			Fields: []logclient.Field{
				field("process", "keystored"), field("exit", "exit code 2"), field("output", "panic: 0xc000\n")}},
			[]string{`updated: crash process=keystored exit="exit code 2"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			mustWrite(t, r.sink("updated"), c.entry)
			if got := r.printed(); !slices.Equal(got, c.want) {
				t.Errorf("console %q, want %q", got, c.want)
			}
		})
	}
}

// The console has the order of the journal, markers and records alike.
func TestConsoleHasTheJournalsOrder(t *testing.T) {
	r := start(t)
	sink := r.sink("updated")
	mustWrite(t, sink, message(journal.Level_warn, "one"), info("unseen"), message(journal.Level_warn, "two"))
	if err := mark(t, sink, "three"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, sink, message(journal.Level_warn, "four"))
	want := []string{"updated: [warn] one", "updated: [warn] two", "three", "updated: [warn] four"}
	if got := r.printed(); !slices.Equal(got, want) {
		t.Errorf("console %q, want %q", got, want)
	}
}
