package logd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

// What the benchmark logs: a million records, of as many senders as may each add that many at once.
const (
	million   = 1_000_000
	ofOne     = 8_000
	lastOfAll = 1_000
)

func benched(n int) logclient.Entry {
	return logclient.Entry{Level: journal.Level_info, Message: "a request was answered", Fields: []logclient.Field{
		{Key: "path", Value: fmt.Sprintf("/item/%d", n)}, {Key: "status", Value: "200"}}}
}

// BenchmarkLastOfAMillion asks for the newest 1,000 of 1,000,000 records: of logd over its socket, and of journalctl on
// the same records.
func BenchmarkLastOfAMillion(b *testing.B) {
	b.Run("logd", func(b *testing.B) {
		r := start(b)
		execd := r.sink("execd", "bundle")
		for n := 0; n < million; n += ofOne {
			child(b, execd, fmt.Sprint("b", n), func(sink journal.LogSink) {
				for at := n; at < n+ofOne; at += 250 {
					var entries []logclient.Entry
					for i := range 250 {
						entries = append(entries, benched(at+i))
					}
					mustWrite(b, sink, entries...)
				}
			})
		}
		log := r.journal()
		for b.Loop() {
			got, before := 0, uint64(0)
			for got < lastOfAll {
				page := query(b, log, func(f journal.Filter) error {
					f.SetBeforeSequence(before)
					f.SetLimit(uint32(min(lastOfAll-got, 512)))
					return nil
				})
				got, before = got+len(page), page[0].sequence
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/query")
	})
	b.Run("journalctl", func(b *testing.B) {
		file := journaldFile(b)
		for b.Loop() {
			out, err := exec.Command("journalctl", "--file", file, "-n", fmt.Sprint(lastOfAll), "-o", "json").Output()
			if n := bytes.Count(out, []byte("\n")); err != nil || n != lastOfAll {
				b.Fatalf("%d records, %v", n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/query")
	})
}

// child has one of execd's children say something.
func child(b *testing.B, execd journal.LogSink, name string, say func(journal.LogSink)) {
	answer, release := execd.ForSender(b.Context(), func(p journal.LogSink_forSender_Params) error {
		return p.SetName(name)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		b.Fatal(err)
	}
	say(res.Sink())
}

// journaldFile is a file of systemd's journal with the same records.
func journaldFile(b *testing.B) string {
	const remote = "/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(remote); err != nil {
		b.Skip("no systemd-journal-remote on this machine")
	}
	if _, err := exec.LookPath("journalctl"); err != nil {
		b.Skip("no journalctl on this machine")
	}
	var export bytes.Buffer
	now := time.Now().UnixMicro() - million
	for n := range million {
		e := benched(n)
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n"+
			"_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=0123456789abcdef0123456789abcdef\n"+
			"SYSLOG_IDENTIFIER=b%d\nPRIORITY=6\nMESSAGE=%s\nPATH=%s\nSTATUS=%s\n\n",
			now+int64(n), n+1, n/ofOne*ofOne, e.Message, e.Value("path"), e.Value("status"))
	}
	file := filepath.Join(b.TempDir(), "bench.journal")
	write := exec.Command(remote, "--output", file, "--compress=no", "--seal=no", "-")
	write.Stdin = &export
	if out, err := write.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return file
}
