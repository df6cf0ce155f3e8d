package logclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

func TestMessagesBecomeEntries(t *testing.T) {
	p := start(t, "updated")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	p.log.Trace("stays here")
	p.log.Debug("one")
	p.log.Info("two", "slot", "b", "bytes", 7, "error", errors.New("no"), "size", hclog.Fmt("%d MiB", 3), "nothing",
		nil)
	p.log.With("boot", uint64(2)).Named("stage").Warn("three", "odd")
	p.log.Error("four", 5, true)

	field := func(pairs ...string) (out []logclient.Field) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, logclient.Field{Key: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	want := []logclient.Entry{
		{Level: journal.Level_debug, Message: "one"},
		{Level: journal.Level_info, Message: "two", Fields: field("slot", "b", "bytes", "7", "error", "no", "size",
			"3 MiB", "nothing", "<nil>")},
		{Level: journal.Level_warn, Message: "three", Fields: field("logger", "updated.stage", "boot", "2",
			"EXTRA_VALUE_AT_END", "odd")},
		{Level: journal.Level_error, Message: "four", Fields: field("5", "true")},
	}
	got, _ := sink.collect(t, len(want))
	for i, w := range want {
		if g := got[i]; g.Level != w.Level || g.Kind != w.Kind || g.Message != w.Message ||
			!slices.Equal(g.Fields, w.Fields) {
			t.Errorf("entry %d: got %+v, want %+v", i, g, w)
		}
	}
	if p.log.IsTrace() || !p.log.IsDebug() {
		t.Error("IsTrace and IsDebug do not say what is kept")
	}
}

func TestAuditHasOneShape(t *testing.T) {
	p := start(t, "updated")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	p.log.Audit(logclient.Audit{Op: "stage", Slot: "b", Version: "1.1.0", Digest: "00ff", Size: 4096, Reused: 512,
		Result: logclient.ResultOK})
	p.log.Audit(logclient.Audit{Op: "stage", Result: logclient.ResultRefused, Reason: "unsigned",
		Detail: "there is no signature"})
	p.log.Audit(logclient.Audit{Op: "commit", Slot: "a", Result: logclient.ResultFailed, Reason: "io"})
	got, _ := sink.collect(t, 3)
	for i, want := range []struct {
		level journal.Level
		line  string
	}{
		{journal.Level_info,
			"scope=updated op=stage slot=b version=1.1.0 size=4096 digest=00ff result=ok reason= reused=512"},
		{journal.Level_warn,
			"scope=updated op=stage slot= version= size=0 digest= result=refused reason=unsigned detail=there is no signature"},
		{journal.Level_error, "scope=updated op=commit slot=a version= size=0 digest= result=failed reason=io"},
	} {
		if e := got[i]; e.Kind != journal.Kind_audit || e.Message != "audit" || e.Level != want.level ||
			line(e) != want.line {
			t.Errorf("audit %d: %v %v %s, want %v %s", i, e.Kind, e.Level, line(e), want.level, want.line)
		}
	}
}

func line(e logclient.Entry) string {
	var pairs []string
	for _, f := range e.Fields {
		pairs = append(pairs, f.Key+"="+f.Value)
	}
	return strings.Join(pairs, " ")
}

func TestCrashKeepsTheNewestOutput(t *testing.T) {
	p := start(t, "execd")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("%03d %s", i, strings.Repeat("x", 96)))
	}
	crash := func(output []string) {
		p.log.Crash(logclient.Crash{Process: "bundle:hello", Exit: "exit code 3", Output: output})
	}
	crash(nil)
	crash([]string{"one", "two"})
	crash(many)
	crash([]string{strings.Repeat("y", 9000) + "end"})
	got, _ := sink.collect(t, 4)
	for i, e := range got {
		if e.Kind != journal.Kind_crash || e.Level != journal.Level_error || e.Value("process") != "bundle:hello" ||
			e.Value("exit") != "exit code 3" {
			t.Errorf("crash %d: %+v", i, e)
		}
	}
	if _, rest, _ := strings.Cut(line(got[0]), "output"); rest != "" || got[1].Value("output") != "one\ntwo" {
		t.Errorf("output %q and %q", got[0].Value("output"), got[1].Value("output"))
	}
	output := got[2].Value("output")
	first, _, _ := strings.Cut(output, "\n")
	if !strings.HasSuffix(output, many[99]) || !slices.Contains(many, first) {
		t.Errorf("of 100 lines the report has %q to %q", first, output[len(output)-101:])
	}
	if output := got[3].Value("output"); !strings.HasSuffix(output, "yend") {
		t.Errorf("of a long line the report lacks the end")
	}
}

func TestForSenderSpeaksAsTheChild(t *testing.T) {
	p := start(t, "execd")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	child := p.log.ForSender("hello")
	child.Info("from the child")
	child.Close()
	if c := receive(t, sink.calls); c.child != "hello" || c.entries[0].Message != "from the child" {
		t.Errorf("got %+v", c)
	}
	forbidden := p.log.ForSender("forbidden")
	forbidden.Info("goes nowhere")
	forbidden.Close() // what was refused does not hold it up
	p.log.Info("own")
	if c := receive(t, sink.calls); c.child != "" || c.entries[0].Message != "own" {
		t.Errorf("got %+v", c)
	}
}

func TestMarkerComesAfterWhatWasSaidBefore(t *testing.T) {
	p := start(t, "updated")
	sink := newFakeSink(nil)
	p.Provide("LogSink", sink.client())
	for i := range 200 {
		p.log.Info(fmt.Sprint(i))
	}
	if err := p.log.Marker(t.Context(), "updated: ready (non-persistent)"); err != nil {
		t.Fatal(err)
	}
	said := 0
	for {
		c := receive(t, sink.calls)
		if c.marker != "" {
			break
		}
		said += len(c.entries)
	}
	if said != 200 {
		t.Errorf("the marker came after %d of 200 messages", said)
	}
}

func TestMarkerErrors(t *testing.T) {
	p := start(t, "updated")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.log.Marker(cancelled, "too early"); !errors.Is(err, context.Canceled) {
		t.Errorf("without logd: %v, want the end of its context", err)
	}
	refusing := newFakeSink(func(context.Context, call) error { return errors.New("cannot print line: it is ugly") })
	p.Provide("LogSink", refusing.client())
	err := p.log.Marker(t.Context(), "ugly")
	if err == nil || !strings.HasPrefix(err.Error(), `cannot print marker "ugly": `) ||
		!strings.HasSuffix(err.Error(), "it is ugly") {
		t.Errorf("refused: %v", err)
	}
	if n := len(refusing.calls); n != 1 {
		t.Errorf("a refused marker was sent %d times", n)
	}
	p.log.Close()
	if err := p.log.Marker(t.Context(), "late"); err == nil || !strings.HasSuffix(err.Error(), "log is closed") {
		t.Errorf("after Close: %v", err)
	}
	if n := len(refusing.calls); n != 1 {
		t.Errorf("%d markers were sent, want the refused one alone", n)
	}
}
