package logd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/logd"
	"nexus/daemons/plat"
	"nexus/daemons/statefsd"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
)

// A moving clock shows another time at each look, and waits as the machine's.
type moving struct{ plat.RealClock }

// A disk is a state folder that lives of logd come and go on.
type disk struct {
	t   *testing.T
	dir string
}

func newDisk(t *testing.T) disk { return disk{t, t.TempDir()} }

// A keeper is logd with a journal on a disk, and the statefsd that serves it.
type keeper struct {
	*rig
	state *vattest.Daemon
}

// start starts both, each time in a boot of its own.
func (d disk) start() keeper {
	d.t.Helper()
	return d.startBoot("")
}

// startBoot starts both in a boot with this id.
func (d disk) startBoot(id string) keeper {
	d.t.Helper()
	state := vattest.Start(d.t, func(ctx context.Context, b *vat.Endowments) error {
		return statefsd.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	state.Dir("state", d.dir)
	state.AwaitReady()
	r := &rig{t: d.t, console: filepath.Join(d.t.TempDir(), "console")}
	console, err := os.Create(r.console)
	if err != nil {
		d.t.Fatal(err)
	}
	defer console.Close()
	r.Daemon = vattest.Start(d.t, func(ctx context.Context, b *vat.Endowments) error {
		return logd.Run(ctx, b, plat.Host{Clock: moving{}})
	})
	r.File("console", console)
	r.Setting("journal", strings.TrimSpace("statefs "+id))
	r.Link("StateFs", state, "logd", "journal")
	r.AwaitReady()
	return keeper{r, state}
}

// stop stops both, without a word.
func (k keeper) stop() {
	k.Stop()
	k.state.Stop()
}

// save waits until all that was said is on disk.
func (k keeper) save() {
	k.t.Helper()
	for range 60 { // each waits two seconds at most, and a busy machine may need more
		if k.sync() {
			return
		}
	}
	k.t.Fatal("the journal is not on disk")
}

func (k keeper) sync() bool {
	k.t.Helper()
	answer, release := k.sink("initd").Sync(k.t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		k.t.Fatal(err)
	}
	return res.Saved()
}

func auditOf(text string) logclient.Entry {
	return logclient.Entry{Level: journal.Level_info, Kind: journal.Kind_audit, Message: text,
		Fields: []logclient.Field{{Key: "op", Value: "stage"}}}
}

// of are the texts of one sender.
func of(sender string) func(journal.Filter) error {
	return func(f journal.Filter) error { return f.SetSender(sender) }
}

// What was said before a restart is there after it, under the numbers and times it had, and what follows goes on.
func TestJournalOutlivesLogd(t *testing.T) {
	d := newDisk(t)
	k := d.start()
	mustWrite(t, k.sink("updated"), auditOf("one"), info("two"))
	mustWrite(t, journal.LogSink(k.Client("LogSink", "execd", "bundle")), info("three"))
	k.save()
	before := query(t, k.journal(), nil)
	k.stop()

	k = d.start()
	after := query(t, k.journal(), nil)
	if len(after) < len(before) || fmt.Sprint(after[:len(before)]) != fmt.Sprint(before) {
		t.Fatalf("got  %v\nwant %v", after, before)
	}
	mustWrite(t, k.sink("updated"), info("four"))
	got := query(t, k.journal(), of("updated"))
	if !slices.Equal(texts(got), []string{"one", "two", "four"}) {
		t.Errorf("got %q", texts(got))
	}
	if last := got[len(got)-1]; last.sequence <= before[len(before)-1].sequence {
		t.Errorf("sequence %d comes after %d", last.sequence, before[len(before)-1].sequence)
	}
	if marks := texts(query(t, k.journal(), of("logd"))); len(marks) != 1 || !strings.HasPrefix(marks[0],
		"journal goes on") {
		t.Errorf("logd says %q", marks)
	}
	if lines := k.printed(); len(lines) > 0 && strings.Contains(strings.Join(lines, "\n"), "logd:") {
		t.Errorf("a start in good order prints %q", lines)
	}
}

// A power cut, or logd's death, costs what was said in the last moments, and nothing before.
func TestNothingIsAskedToSave(t *testing.T) {
	d := newDisk(t)
	k := d.start()
	mustWrite(t, k.sink("updated"), auditOf("one"))
	deadline := time.Now().Add(vattest.Patience)
	for len(d.segments("audit")) == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	k.stop()
	k = d.start()
	if got := texts(query(t, k.journal(), of("updated"))); !slices.Equal(got, []string{"one"}) {
		t.Errorf("got %q", got)
	}
}

// segments are the files of one share.
func (d disk) segments(share string) []string {
	files, err := filepath.Glob(filepath.Join(d.dir, "journal", share+"+*.value"))
	if err != nil {
		d.t.Fatal(err)
	}
	return files
}

// Damage costs what is damaged. It is told, once, and logd starts.
func TestDamagedJournal(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"flipped": func(file string) error {
			raw, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			raw[len(raw)/2] ^= 1
			return os.WriteFile(file, raw, 0o600)
		},
		"truncated": func(file string) error { return os.Truncate(file, 40) },
		"empty":     func(file string) error { return os.Truncate(file, 0) },
		"gone":      os.Remove,
		"a folder":  func(file string) error { os.Remove(file); return os.Mkdir(file, 0o700) },
		"a link":    func(file string) error { os.Remove(file); return os.Symlink("/dev/zero", file) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			k := d.start()
			mustWrite(t, k.sink("updated"), auditOf("lost"))
			mustWrite(t, k.sink("initd"), info("kept"))
			k.save()
			k.stop()
			if err := damage(d.segments("audit")[0]); err != nil {
				t.Fatal(err)
			}
			told := 1
			if name == "gone" {
				told = 0
			}
			for range 2 {
				k = d.start()
				if got := texts(query(t, k.journal(), of("initd"))); !slices.Equal(got, []string{"kept"}) {
					t.Errorf("initd's records are %q", got)
				}
				if got := query(t, k.journal(), of("updated")); len(got) != 0 {
					t.Errorf("what was damaged is shown: %v", got)
				}
				if !k.tells("state-damaged", told) {
					t.Errorf("damage is told, want %d times: %q", told, k.printed())
				}
				k.save()
				k.stop()
				told = 0
			}
		})
	}
}

// What another version keeps there is reported and left as it is; logd starts, and its own records are there.
func TestJournalOfAnotherVersion(t *testing.T) {
	d := newDisk(t)
	k := d.start()
	mustWrite(t, k.sink("updated"), auditOf("kept"))
	k.save()
	k.stop()
	folder := filepath.Dir(d.segments("audit")[0])
	later := filepath.Join(folder, "digests+00000000000000000001.value")
	if err := os.WriteFile(later, []byte("another layout"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		k = d.start()
		if got := texts(query(t, k.journal(), of("updated"))); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("the records are %q", got)
		}
		if !k.tells("bad-schema-version", 1) {
			t.Errorf("another version's part is not reported: %q", k.printed())
		}
		k.save()
		k.stop()
		if raw, err := os.ReadFile(later); err != nil || string(raw) != "another layout" {
			t.Errorf("another version's part is now %q, %v", raw, err)
		}
	}
}

// Whatever is said, the journal on disk stays within its bounds, and a flood leaves the others theirs there too.
func TestJournalOnDiskIsBounded(t *testing.T) {
	d := newDisk(t)
	k := d.start()
	mustWrite(t, k.sink("updated"), auditOf("audited"))
	mustWrite(t, k.sink("initd"), info("said"))
	execd := journal.LogSink(k.Client("LogSink", "execd", "bundle"))
	child := func(name string) journal.LogSink {
		answer, release := execd.ForSender(t.Context(), func(p journal.LogSink_forSender_Params) error {
			return p.SetName(name)
		})
		t.Cleanup(release)
		return answer.Sink()
	}
	mustWrite(t, child("quiet"), info("hushed"))
	k.save()
	noisy := child("noisy")
	for range 60 {
		mustWrite(t, noisy, slices.Repeat([]logclient.Entry{info(strings.Repeat("x", 1000))}, 200)...)
		k.save()
	}
	if got := len(d.segments("bundles")); got == 0 || got > 17 {
		t.Errorf("%d segments of bundles are on disk", got)
	}
	k.stop()
	k = d.start()
	for sender, want := range map[string]string{"updated": "audited", "initd": "said", "bundle:quiet": "hushed"} {
		if got := texts(query(t, k.journal(), of(sender))); !slices.Equal(got, []string{want}) {
			t.Errorf("%s has %q", sender, got)
		}
	}
	if got := query(t, k.journal(), of("bundle:noisy")); len(got) == 0 {
		t.Error("nothing of the flood is on disk")
	}
}

// A journal that is kept in memory says so at once.
func TestSyncWithoutState(t *testing.T) {
	r := start(t)
	if (keeper{rig: r}).sync() {
		t.Error("a journal in memory is on disk")
	}
}

// tells waits until the console has a word that many times.
func (r *rig) tells(word string, times int) bool {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.After(time.Minute); strings.Count(strings.Join(r.printed(), "\n"), word) != times; {
		select {
		case <-look.C:
		case <-deadline:
			return false
		}
	}
	return true
}
