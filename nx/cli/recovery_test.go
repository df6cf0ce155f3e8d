package cli_test

import (
	"context"
	"testing"

	"nexus/capnpgen/bootrecord"
)

func TestRollback(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) { s.sets[bootrecord.Slot_b] = peerSet{version: "0.9.0", digest: 0x99, good: true} })
	p.nx("rollback").want(t, 0, "rolled back: 0.9.0 in slot b, healthy\n", "")
}

func TestRollbackRefused(t *testing.T) {
	p := startPeer(t)
	p.refuses("rollback", "no-previous", "there is no good set to return to")
	p.nx("rollback").want(t, 1, "", "nx: cannot roll back: there is no good set to return to\n")
}

// After the rollback itself, an error says that it was done.
func TestRollbackWithoutVerdict(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.sick = true })
	p.nx("rollback", "--timeout", "1ms").want(t, 1, "",
		"nx: cannot roll back: the earlier set runs, but is not healthy: no verdict within 1ms\n")
}

func TestRollbackInterrupted(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.sick = true })
	ctx, interrupt := context.WithTimeout(t.Context(), patience)
	go func() {
		<-p.followed
		interrupt()
	}()
	run(ctx, "--dir", p.dir, "rollback").want(t, 1, "", "nx: cannot roll back: interrupted: the rollback goes on\n"+
		"hint: `nx --dir "+p.dir+" services` shows how the services are\n")
}

func TestClear(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) {
		s.quarantine = []peerRollback{{"operator", "", "1.1.0", 0xbb}, {"service-exited", "", "1.2.0", 0xcc},
			{"operator", "", "1.3.0", 0xcd}, {"operator", "", "1.3.0", 0xce}, {"operator", "", "1.4.0", 0xdd}}
	})
	hint := "hint: `nx --dir " + p.dir + " status` shows what is quarantined\n"
	p.nx("clear", "dde").want(t, 1, "", "nx: cannot clear dde: no quarantined set has this digest or version\n"+hint)
	p.nx("clear", "").want(t, 1, "", "nx: cannot clear: no quarantined set has this digest or version\n"+hint)
	p.nx("clear", "c").want(t, 1, "",
		"nx: cannot clear c: 3 quarantined sets have that version, or a digest that begins like that\n"+hint)
	p.nx("clear", "CC").want(t, 0, "cleared 1.2.0 (cccccccccccc): it may be staged again\n", "")
	p.nx("clear", "1.3.0").want(t, 1, "",
		"nx: cannot clear 1.3.0: 2 quarantined sets have that version, or a digest that begins like that\n"+hint)
	p.nx("clear", "1.3").want(t, 1, "", "nx: cannot clear 1.3: no quarantined set has this digest or version\n"+hint)
	p.nx("clear", "1.4.0").want(t, 0, "cleared 1.4.0 (dddddddddddd): it may be staged again\n", "")
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := len(p.state.quarantine); left != 3 {
		t.Errorf("%d sets are quarantined, want 3", left)
	}
}
