package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"nexus/capnpgen/bootrecord"
)

// archive writes bytes that stand for a set, a few chunks long.
func archive(t *testing.T) (path string, content []byte) {
	t.Helper()
	content = make([]byte, 3<<20+17)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(content)
	path = filepath.Join(t.TempDir(), "system-v1.2.0.nxs")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func commit(p *peer) {
	p.change(func(s *peerState) { s.tries = 1 })
	p.change(func(s *peerState) {
		s.active, s.pending, s.tries, s.healthy = bootrecord.Slot_b, bootrecord.Slot_none, 0, true
	})
}

func fail(p *peer) {
	p.change(func(s *peerState) { s.tries = 1 })
	p.change(func(s *peerState) {
		s.pending, s.tries, s.healthy = bootrecord.Slot_none, 0, true
		s.last = &peerRollback{"service-exited", "hello.app ended with exit code 3", "1.2.0", 0xcc}
		s.quarantine = append(s.quarantine, *s.last)
	})
}

// wantQuarters wants at most one line in each quarter, ascending, and one at the end: a state that comes while another
// is shown takes its place.
func wantQuarters(t *testing.T, stderr string) {
	t.Helper()
	line := regexp.MustCompile(`^system-v1\.2\.0\.nxs: ([0-9]+)% \(([0-9.]+) MiB of 3\.0 MiB\)$`)
	last := 0
	for _, got := range strings.Split(strings.TrimSuffix(stderr, "\n"), "\n") {
		match := line.FindStringSubmatch(got)
		if match == nil {
			t.Fatalf("progress line %q", got)
		}
		percent, _ := strconv.Atoi(match[1])
		if percent/25 <= last/25 {
			t.Errorf("progress %d%% after %d%%", percent, last)
		}
		if size, _ := strconv.ParseFloat(match[2], 64); math.Abs(size/3*100-float64(percent)) > 3 {
			t.Errorf("%s", got)
		}
		last = percent
	}
	if last != 100 {
		t.Errorf("progress ends at %d%%", last)
	}
}

func TestStage(t *testing.T) {
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprintf("an older system %t", older), func(t *testing.T) { stageAt(t, older) })
	}
}

func stageAt(t *testing.T, older bool) {
	p := startPeer(t)
	p.set(func(p *peer) { p.older = older })
	file, content := archive(t)
	got := p.nx("stage", file)
	wantQuarters(t, got.stderr)
	got.stderr = ""
	got.want(t, 0, "staged 1.2.0 for slot b: 2 bundles\nnext: `nx switch` puts it on trial, `nx discard` drops it\n",
		"")
	p.mu.Lock()
	received := bytes.Clone(p.received.Bytes())
	p.mu.Unlock()
	if string(received) != string(content) {
		t.Errorf("the system received %d bytes, want the %d of the file", len(received), len(content))
	}
	p.nx("switch").want(t, 0, "1.2.0 in slot b is on trial\nnext: the verdict comes by itself; `nx status` shows it\n",
		"")
}

// TestProgressEndsWhole: a set that is staged was received whole, whatever was reported of it.
func TestProgressEndsWhole(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.tacit = true })
	file, _ := archive(t)
	wantQuarters(t, p.nx("stage", file).stderr)
}

func TestStageForPrograms(t *testing.T) {
	p := startPeer(t)
	file, _ := archive(t)
	p.nx("stage", "--json", file).want(t, 0, `{"slot":"b","systemVersion":"1.2.0","indexSha256":"`+hexCC+
		`","bundles":[{"name":"hello","version":"1.2.0"},{"name":"ticker","version":"1.2.0"}]}`+"\n", "")
}

func TestStageRefused(t *testing.T) {
	file, _ := archive(t)
	digest := [2]string{"digest-mismatch", "digest mismatch in hello/payload.elf"}
	for _, c := range []struct {
		name     string
		method   string
		refuseAt int
		why      [2]string
		hint     string // DIR stands for the system's folder
	}{
		{"at once", "stageSystem", 0, [2]string{"stage-in-progress", "another stage is under way"},
			"hint: wait until it has ended, or end it with `nx --dir DIR discard`\n"},
		{"in the end", "done", 0, digest, ""},
		{"at the first byte", "done", 1, digest, ""},
		{"half way", "done", 1 << 20, digest, ""},
		{"at the last byte", "done", 3<<20 + 17, digest, ""},
		{"with a hint", "stageSystem", 0, [2]string{"archive-too-large",
			"3145745 bytes are over the 1 MiB of the policy"},
			"hint: the policy is set by `nx up --limit-archive SIZE --limit-payload SIZE`\n"},
		{"for a power", "stageSystem", 0, [2]string{"policy-denied", "no rule grants it"},
			"hint: `nx --dir DIR policy` shows what the device grants, `nx --dir DIR policy set FILE` replaces it\n"},
		{"for its publisher", "stageSystem", 0, [2]string{"untrusted-publisher", "nobody trusts it"},
			"hint: if you trust its publisher: `nx --dir DIR trust add PUB`; a device with a root needs a new root " +
				"(`nx --dir DIR trust update`)\n"},
		{"for its signature", "stageSystem", 0, [2]string{"invalid-signature", "invalid signature"},
			"hint: it was changed after it was signed, or damaged on its way: get it again\n"},
	} {
		for _, older := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, an older system %t", c.name, older), func(t *testing.T) {
				p := startPeer(t)
				p.set(func(p *peer) { p.older, p.refuse[c.method], p.refuseAt = older, c.why, c.refuseAt })
				text := "cannot stage " + file + ": " + c.why[1]
				p.nx("stage", "--json", file).want(t, 1, `{"error":"`+text+`","reason":"`+c.why[0]+`"}`+"\n",
					"nx: "+text+"\n"+strings.ReplaceAll(c.hint, "DIR", p.dir))
			})
		}
	}
}

// TestStageURL names a server where nx reads files.
func TestStageURL(t *testing.T) {
	p := startPeer(t)
	text := "cannot stage https://updates.example/a.nxs: a set is a file, - for standard input, or in a registry: " +
		"oci://HOST[:PORT]/NAME:TAG"
	p.nx("stage", "--json", "https://updates.example/a.nxs").want(t, 2, `{"error":"`+text+`","reason":"usage"}`+"\n",
		"nx: "+text+"\nhint: `nx --help` shows the verbs, `nx VERB --help` one of them\n")
}

// TestStageNotGranted comes in by a way that does not give what it takes. The other facet, which could do it too, is
// not tried.
func TestStageNotGranted(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.withheld = true })
	file, _ := archive(t)
	text := "cannot stage " + file + ": this Operator was made without stage"
	p.nx("stage", "--json", file).want(t, 1, `{"error":"`+text+`","reason":"not-granted"}`+"\n",
		"nx: "+text+"\nhint: whoever runs the system decides what it gives to whom: `nx up --share ROLE=PATH`\n")
}

// TestSocket reaches a system by a socket instead of a folder, and says so where there is none.
func TestSocket(t *testing.T) {
	p := startPeer(t)
	p.refuses("staged", "nothing-staged", "nothing is staged")
	p.nx("--dir", "elsewhere", "--socket", filepath.Join(p.dir, "control.sock"), "discard").want(t, 1, "",
		"nx: cannot discard: nothing is staged\nhint: `nx --socket "+filepath.Join(p.dir, "control.sock")+
			" status` shows what is staged\n")
	none := filepath.Join(t.TempDir(), "none.sock")
	run(t.Context(), "--socket", none, "status").want(t, 1, "",
		"nx: cannot reach the system at "+none+": no system runs there\n"+
			"hint: a system shares a socket while it runs with `nx up --share ROLE="+none+"`\n")
	run(t.Context(), "--socket", none, "up").want(t, 2, "",
		"nx: --socket and NX_SOCKET are for a system that runs already\nhint: `nx --help` shows the verbs, `nx VERB --help` one of them\n")
}

func TestStageOfNoFile(t *testing.T) {
	p := startPeer(t)
	p.nx("stage", "none.nxs").want(t, 1, "", "nx: cannot stage none.nxs: no such file or directory\n")
	p.nx("stage", p.dir).want(t, 1, "", "nx: cannot stage "+p.dir+": it is not a regular file\n")
}

// A stage under way is what discard ends first, whoever began it.
func TestDiscardEndsAStage(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.underWay = true })
	p.nx("--dir", p.dir, "--json", "discard").want(t, 0, "{\"endedStage\":true}\n", "")
	p.set(func(p *peer) { p.underWay = true })
	p.nx("--dir", p.dir, "discard").want(t, 0, "ended the stage under way\n", "")
}

// An interrupt drops the sink, and that discards what was received.
func TestInterruptDiscards(t *testing.T) {
	p := startPeer(t)
	file, _ := archive(t)
	ctx, interrupt := context.WithCancel(t.Context())
	p.set(func(p *peer) { p.onWrite = func(*peer) { interrupt() } })
	got := run(ctx, "--dir", p.dir, "--json", "stage", file)
	if got.status != 1 || !strings.HasSuffix(got.stdout, `interrupted","reason":"cancelled"}`+"\n") {
		t.Errorf("status %d, %s", got.status, got.stdout)
	}
	select {
	case <-p.discarded:
	case <-time.After(patience):
		t.Error("the stage was not discarded")
	}
}

func TestUpdateCommitted(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.onSwitch = commit })
	file, _ := archive(t)
	got := p.nx("update", file)
	if got.status != 0 || got.stdout != "updated to 1.2.0 in slot b, healthy\n" ||
		!strings.HasSuffix(got.stderr, "1.2.0 in slot b is on trial\n") {
		t.Errorf("status %d\n%s%s", got.status, got.stdout, got.stderr)
	}
}

func TestUpdateRolledBack(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.onSwitch = fail })
	file, _ := archive(t)
	text := "cannot update to 1.2.0: rolled back: service-exited: hello.app ended with exit code 3"
	p.nx("update", "--json", file).want(t, 1, `{"error":"`+text+`","reason":"service-exited"}`+"\n", "nx: "+text+"\n")
}

// A slot that was taken up is not yet one that is healthy.
func TestUpdateWaitsForHealth(t *testing.T) {
	p := startPeer(t)
	drama := func(p *peer) {
		<-p.followed
		p.change(func(s *peerState) { s.active, s.pending, s.healthy = bootrecord.Slot_b, bootrecord.Slot_none, false })
		p.change(func(s *peerState) { s.active = bootrecord.Slot_a })
	}
	p.set(func(p *peer) { p.onSwitch = drama })
	file, _ := archive(t)
	text := "cannot update to 1.2.0: the trial ended and another set took its place"
	p.nx("update", "--json", file).want(t, 1, `{"error":"`+text+`","reason":"superseded"}`+"\n", "nx: "+text+"\n")
}

// The same set was rolled back before and cleared: that is not the verdict.
func TestUpdateIsNotMisledByAnEarlierRollback(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) { s.last = &peerRollback{"operator", "", "1.2.0", 0xcc} })
	p.set(func(p *peer) { p.onSwitch = commit })
	file, _ := archive(t)
	if got := p.nx("update", "--json", file); got.status != 0 {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

func TestUpdateGoesOnOverARestartOfUpdated(t *testing.T) {
	p := startPeer(t)
	drama := func(p *peer) {
		for range 2 {
			<-p.followed
			p.forget()
		}
		<-p.followed
		commit(p)
	}
	p.set(func(p *peer) { p.onSwitch = drama })
	file, _ := archive(t)
	if got := p.nx("update", "--json", file); got.status != 0 {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

// TestUpdateGoesOnUnderAnotherCore has every connection end in mid-trial while the socket stays, as when another core
// takes over.
func TestUpdateGoesOnUnderAnotherCore(t *testing.T) {
	p := startPeer(t)
	drama := func(p *peer) {
		for range 2 {
			<-p.followed
			(<-p.conns).Close()
		}
		<-p.followed
		commit(p)
	}
	p.set(func(p *peer) { p.onSwitch = drama })
	file, _ := archive(t)
	if got := p.nx("update", "--json", file); got.status != 0 {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

func TestUpdateWhileTheSystemGoesAway(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) {
		p.onSwitch = func(p *peer) {
			p.listener.Close()
			(<-p.conns).Close()
		}
	})
	file, _ := archive(t)
	got := p.nx("update", "--json", file)
	if got.status != 1 || !strings.HasSuffix(got.stdout,
		`the system in `+p.dir+` went away","reason":"disconnected"}`+"\n") {
		t.Errorf("status %d: %s", got.status, got.stdout)
	}
}

func TestUpdateWithoutVerdictEnds(t *testing.T) {
	p := startPeer(t)
	file, _ := archive(t)
	got := p.nx("update", "--json", "--timeout", "1ms", file)
	if want := `{"error":"cannot update to 1.2.0: no verdict within 1ms","reason":"health-timeout"}` +
		"\n"; got.status != 1 || got.stdout != want {
		t.Errorf("status %d: %s, want %s", got.status, got.stdout, want)
	}
}

func TestSwitchAndDiscardNeedAStagedSet(t *testing.T) {
	p := startPeer(t)
	p.refuses("staged", "nothing-staged", "nothing is staged")
	p.nx("switch").want(t, 1, "",
		"nx: cannot switch: nothing is staged\nhint: stage a set with `nx --dir "+p.dir+" stage FILE`\n")
	p.nx("discard", "--json").want(t, 1,
		`{"error":"cannot discard: nothing is staged","reason":"nothing-staged"}`+"\n",
		"nx: cannot discard: nothing is staged\nhint: `nx --dir "+p.dir+" status` shows what is staged\n")
}

func TestSwitchRefused(t *testing.T) {
	p := startPeer(t)
	file, _ := archive(t)
	p.nx("stage", "--json", file)
	p.refuses("switch", "wrong-architecture", "cannot run hello/payload.elf: not for this machine")
	p.nx("switch").want(t, 1, "", "nx: cannot switch to 1.2.0: cannot run hello/payload.elf: not for this machine\n")
	p.nx("discard").want(t, 0, "discarded 1.2.0\n", "")
}
