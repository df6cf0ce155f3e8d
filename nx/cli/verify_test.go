package cli_test

import (
	"strings"
	"testing"

	"nexus/capnpgen/bootrecord"
)

func TestVerify(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) {
		s.sets = map[bootrecord.Slot]peerSet{bootrecord.Slot_a: {version: "1.0.0", digest: 0xaa, good: true}}
	})
	p.nx("verify").want(t, 0, "slot a: 1.0.0 is intact\nslot b: empty\n", "")
	p.change(func(s *peerState) {
		s.sets[bootrecord.Slot_b], s.damage = peerSet{version: "1.1.0", digest: 0xbb, good: true}, "digest-mismatch"
	})
	p.nx("verify").want(t, 1,
		"slot a: 1.0.0 is intact\nslot b: 1.1.0 is not: digest mismatch in hello.nxb/payload.elf\n",
		"nx: cannot verify slot b: digest mismatch in hello.nxb/payload.elf\n")
	p.nx("verify", "--json").want(t, 1,
		`[{"slot":"a","systemVersion":"1.0.0","intact":true,"reason":null,"detail":null},`+
			`{"slot":"b","systemVersion":"1.1.0","intact":false,"reason":"digest-mismatch","detail":"digest mismatch in hello.nxb/payload.elf"}]`+"\n",
		"nx: cannot verify slot b: digest mismatch in hello.nxb/payload.elf\n")
	if out := p.nx("status").stdout; !strings.Contains(out, "DAMAGED: digest-mismatch") {
		t.Errorf("status shows no damage:\n%s", out)
	}
	p.refuses("scrub", "stage-in-progress", "another stage is under way")
	p.nx("verify").want(t, 1, "", "nx: cannot verify slots: another stage is under way\n"+
		"hint: wait until it has ended, or end it with `nx --dir "+p.dir+" discard`\n")
}

// TestVerifySaysItOnce has the system say what was to be verified, as nx does.
func TestVerifySaysItOnce(t *testing.T) {
	for said, want := range map[string]string{
		"cannot verify slot b: cannot open sets/x: no such file": "cannot open sets/x: no such file",
		"cannot verify bundle hello: it is gone":                 "cannot verify bundle hello: it is gone",
		"":                                                       "io", // nothing is said but the reason
	} {
		p := startPeer(t)
		p.set(func(p *peer) { p.found = [2]string{"io", said} })
		p.nx("verify").want(t, 1, "slot a: 1.0.0 is intact\nslot b: its set is not: "+want+"\n",
			"nx: cannot verify slot b: "+want+"\n")
	}
}

// TestStageSaysItOnce likewise.
func TestStageSaysItOnce(t *testing.T) {
	p := startPeer(t)
	p.refuses("scrub", "io", "cannot verify: cannot verify slots: disk on fire")
	p.nx("verify").want(t, 1, "", "nx: cannot verify slots: disk on fire\n")
}
