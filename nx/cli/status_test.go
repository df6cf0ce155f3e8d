package cli_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"nexus/capnpgen/bootrecord"
)

var (
	hexAA = strings.Repeat("aa", 32)
	hexCC = strings.Repeat("cc", 32)
)

// onTrial is a state with everything in it.
func onTrial(s *peerState) {
	s.pending, s.tries, s.healthy, s.boot, s.persistent = bootrecord.Slot_b, 1, false, 4, true
	s.sets[bootrecord.Slot_b] = peerSet{version: "1.2.0", digest: 0xcc, bundles: []string{"hello", "ticker"}}
	s.quarantine = []peerRollback{{reason: "service-exited", version: "1.1.0", digest: 0xbb}}
	s.last = &peerRollback{"service-exited", "hello ended with exit code 3", "1.1.0", 0xbb}
}

func TestStatusForPrograms(t *testing.T) {
	p := startPeer(t)
	got := p.nx("status", "--json")
	want := `{"activeSlot":"a","pendingSlot":null,"stagedSlot":null,"triesLeft":0,"healthOk":true,"persistent":false,"staging":false,"watched":false,"boot":1,"bootCause":"unknown","abruptEnds":0,"pauseMs":0,"versionFloor":null,"core":null,` +
		`"slots":{"a":{"systemVersion":"1.0.0","indexSha256":"` + hexAA +
		`","good":true,"damage":null,"kept":false,"unkept":null,"bundles":[{"name":"hello","version":"1.0.0"}]},` +
		`"b":{"systemVersion":null,"indexSha256":null,"good":false,"damage":null,"kept":false,"unkept":null,"bundles":[]},` +
		`"staged":{"systemVersion":null,"indexSha256":null,"good":false,"damage":null,"kept":false,"unkept":null,"bundles":[]}},` +
		`"quarantine":[],"lastRollback":null,"watchdog":null,` +
		`"confinement":[{"daemon":"logd","measures":[{"name":"paths","on":true,"detail":"none"},{"name":"user","on":false,"detail":"needs root"}]}]}` + "\n"
	got.want(t, 0, want, "")

	p.change(onTrial)
	got = p.nx("status", "--json")
	var status struct {
		PendingSlot  string
		TriesLeft    int
		Quarantine   []map[string]string
		LastRollback map[string]string
	}
	if err := json.NewDecoder(bytes.NewBufferString(got.stdout)).Decode(&status); err != nil {
		t.Fatal(err)
	}
	if status.PendingSlot != "b" || status.TriesLeft != 1 || len(status.Quarantine) != 1 ||
		len(status.LastRollback) != 4 ||
		status.LastRollback["indexSha256"] != strings.Repeat("bb", 32) ||
		status.LastRollback["reason"] != "service-exited" {
		t.Errorf("status: %s", got.stdout)
	}
}

func TestStatusForPeople(t *testing.T) {
	p := startPeer(t)
	p.nx("status").want(t, 0, ""+
		"system    1.0.0 in slot a, healthy\n"+
		"slot a    1.0.0 (aaaaaaaaaaaa), good: hello 1.0.0\n"+
		"slot b    empty\n"+
		"state     not kept over a reboot\n"+
		"confined  not by user (all daemons): needs root\n", "")

	p.change(onTrial)
	p.nx("status").want(t, 0, ""+
		"system       1.0.0 in slot a, waits while another set is on trial\n"+
		"on trial     1.2.0 in slot b, 1 try left\n"+
		"slot a       1.0.0 (aaaaaaaaaaaa), good: hello 1.0.0\n"+
		"slot b       1.2.0 (cccccccccccc), not yet confirmed: hello 1.2.0, ticker 1.2.0\n"+
		"quarantined  1.1.0 (bbbbbbbbbbbb): service-exited\n"+
		"rolled back  1.1.0: service-exited: hello ended with exit code 3\n"+
		"state        kept over a reboot\n"+
		"confined     not by user (all daemons): needs root\n"+
		"next         the verdict comes by itself; `nx rollback` ends the trial\n", "")

	p.change(func(s *peerState) { *s = peerState{active: bootrecord.Slot_a, sets: map[bootrecord.Slot]peerSet{}} })
	p.nx("status").want(t, 0, ""+
		"system    none: slot a is empty\n"+
		"slot a    empty\n"+
		"slot b    empty\n"+
		"state     not kept over a reboot\n"+
		"confined  not by user (all daemons): needs root\n"+
		"next      `nx update FILE` installs a system set\n", "")
}

// How payloads are verified is said where the system says it: an older one does not.
func TestStatusOfVerification(t *testing.T) {
	p := startPeer(t)
	for _, c := range []struct {
		kept         bool
		unkept, want string
	}{
		{true, "", "payloads  verified by the kernel at every read\n"},
		{false, "no fs-verity", "payloads  read at each boot attempt: no fs-verity\n"},
		{false, "", ""},
	} {
		p.change(func(s *peerState) {
			running := s.sets[bootrecord.Slot_a]
			running.kept, running.unkept = c.kept, c.unkept
			s.sets[bootrecord.Slot_a] = running
		})
		got := p.nx("status")
		if has := strings.Contains(got.stdout, "payloads"); got.status != 0 || has != (c.want != "") ||
			!strings.Contains(got.stdout, c.want) {
			t.Errorf("%+v: exit %d, %s%s", c, got.status, got.stdout, got.stderr)
		}
	}
}

// A staged set is in neither slot. An older system has it in its standby slot.
func TestStatusWithAStagedSet(t *testing.T) {
	p := startPeer(t)
	staged := peerSet{version: "1.2.0", digest: 0xcc, bundles: []string{"hello"}}
	for place, b := range map[bootrecord.Slot]string{
		bootrecord.Slot_staged: "empty",
		bootrecord.Slot_b:      "1.2.0 (cccccccccccc), not yet confirmed: hello 1.2.0",
	} {
		p.change(func(s *peerState) {
			delete(s.sets, bootrecord.Slot_staged)
			s.staged, s.sets[place] = place, staged
		})
		p.nx("status").want(t, 0, ""+
			"system    1.0.0 in slot a, healthy\n"+
			"staged    1.2.0 (cccccccccccc), waits for `nx switch`: hello 1.2.0\n"+
			"slot a    1.0.0 (aaaaaaaaaaaa), good: hello 1.0.0\n"+
			"slot b    "+b+"\n"+
			"state     not kept over a reboot\n"+
			"confined  not by user (all daemons): needs root\n"+
			"next      `nx switch` puts it on trial, `nx discard` drops it\n", "")
		p.change(func(s *peerState) { delete(s.sets, place) })
	}
}

// A set that was rolled back is not one that waits to be confirmed, whether it was good before or not.
func TestStatusOfAQuarantinedSet(t *testing.T) {
	p := startPeer(t)
	for _, good := range []bool{false, true} {
		p.change(func(s *peerState) {
			s.sets[bootrecord.Slot_b] = peerSet{version: "1.1.0", digest: 0xbb, bundles: []string{"hello"}, good: good}
			s.quarantine = []peerRollback{{reason: "operator", version: "1.1.0", digest: 0xbb}}
		})
		const want = "\nslot b       1.1.0 (bbbbbbbbbbbb), quarantined: hello 1.1.0\n"
		if got := p.nx("status"); got.status != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("good: %t: exit %d, %s%s", good, got.status, got.stdout, got.stderr)
		}
	}
}

// Why the boot began, and what guards the machine, where that is known.
func TestStatusOfAMachine(t *testing.T) {
	p := startPeer(t)
	for _, c := range []struct {
		state    func(*peerState)
		boot     string
		watchdog string
	}{
		{func(s *peerState) { s.cause = bootrecord.BootCause_power }, "boot      at power-on\n",
			"watchdog  a hound, after 30s, not yet seen to work\n"},
		{func(s *peerState) { s.cause, s.abrupt = bootrecord.BootCause_crash, 2 },
			"boot      after a crash, 2 ends in a row that nobody ordered\n",
			"watchdog  a hound, after 30s, not yet seen to work\n"},
		{func(s *peerState) { s.cause, s.abrupt, s.pauseMs, s.healthy = 0, 9, 32000, false },
			"boot      cause unknown, 9 ends in a row that nobody ordered: services wait 32s\n",
			"watchdog  a hound, after 30s, not yet seen to work\n"},
		{func(s *peerState) { s.cause, s.proven = bootrecord.BootCause_commanded, true },
			"boot      by command", "watchdog  a hound, after 30s, seen to work\n"},
		{func(s *peerState) {
			s.cause, s.abrupt, s.noWatchdog = bootrecord.BootCause_watchdog, 1, "cannot open watchdog"
		},
			"boot      reset by the watchdog\n", "watchdog  none: cannot open watchdog\n"},
	} {
		p.change(func(s *peerState) { s.machine = true; c.state(s) })
		if got := p.nx("status").stdout; !strings.Contains(got, c.boot) || !strings.Contains(got, c.watchdog) {
			t.Errorf("got\n%s\nwant %q, %q", got, c.boot, c.watchdog)
		}
	}
	if got := p.nx("status", "--json").stdout; !strings.Contains(got, `"bootCause":"watchdog","abruptEnds":1,`) ||
		!strings.Contains(got,
			`"watchdog":{"on":false,"name":"","timeoutMs":0,"proven":false,"detail":"cannot open watchdog"}`) {
		t.Errorf("got %s", got)
	}
	p.set(func(p *peer) { p.older = true })
	if got := p.nx("status"); got.status != 0 || strings.Contains(got.stdout, "watchdog  ") {
		t.Errorf("of an older system: %+v", got)
	}
}

// What a set or a service calls itself must not reach the terminal as it is.
func TestStatusCannotDriveTheTerminal(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) {
		s.sets[bootrecord.Slot_a] = peerSet{version: "1.0.0\x1b[2J\nforged: line", digest: 0xaa, good: true,
			bundles: []string{"he\u202ello"}}
	})
	got := p.nx("status").stdout
	if strings.ContainsAny(got, "\x1b\u202e") || strings.Contains(got, "\nforged") {
		t.Errorf("control characters came through: %q", got)
	}
}

// TestStatusWithoutADigest has a system say which version a slot holds and not which set, or a set without bundles, or
// a slot that there is not.
func TestStatusWithoutADigest(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) {
		s.sets = map[bootrecord.Slot]peerSet{bootrecord.Slot_a: {version: "1.0.0", good: true,
			bundles: []string{"hello"}}, bootrecord.Slot_b: {version: "1.1.0", good: true}}
		s.damage = "digest-mismatch"
		s.machine = false
	})
	out := p.nx("status").stdout
	for _, line := range []string{"slot a    1.0.0 (-), good: hello 1.0.0\n",
		"slot b    1.1.0 (-), DAMAGED: digest-mismatch\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in:\n%s", line, out)
		}
	}
	p.change(func(s *peerState) { s.active = 77 })
	if out := p.nx("status").stdout; !strings.Contains(out, "system    none: slot none is empty\n") {
		t.Errorf("a slot that there is not:\n%s", out)
	}
}
