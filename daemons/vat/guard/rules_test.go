package guard

import (
	"testing"

	"capnproto.org/go/capnp/v3/rpc"
)

// TestReleaseWaits has a capability kept for a waiting message when the peer releases it: the library is told once the
// message has gone, and the peer may not refer to it meanwhile.
func TestReleaseWaits(t *testing.T) {
	x := exports{}
	if err := x.grant([]uint32{7, 7}); err != nil {
		t.Fatal(err)
	}
	x[7].users++
	if now, err := x.release(7, 2); now || err != nil {
		t.Errorf("at once: %v, %v", now, err)
	}
	if x.check(7) == nil {
		t.Error("the peer may still refer to what it has released")
	}
	if owed := x.unuse(7); owed != 2 || len(x) != 0 {
		t.Errorf("%d references are owed, want 2; left: %v", owed, x)
	}
	if err := x.grant([]uint32{8}); err != nil {
		t.Fatal(err)
	}
	if now, err := x.release(8, 1); !now || err != nil || len(x) != 0 {
		t.Errorf("with nothing waiting, at once: %v, %v; left: %v", now, err, x)
	}
}

// TestIDsAreNotShared gives each reference to one capability an id of its own, and counts down to the last.
func TestIDsAreNotShared(t *testing.T) {
	x := newImports()
	first, err := x.hold(7)
	second, again := x.hold(7)
	if err != nil || again != nil || first == second {
		t.Fatalf("ids %d and %d, %v, %v", first, second, err, again)
	}
	for _, local := range []uint32{first, second} {
		if wire, known := x.forget(local); wire != 7 || !known {
			t.Errorf("%d stands for %d, %v", local, wire, known)
		}
	}
	if _, known := x.forget(first); known || len(x.held) != 0 {
		t.Errorf("forgotten twice: %v; held: %v", known, x.held)
	}
}

// TestAbandonedQuestions refuses a peer that never returns what we have given up, with the reason of who is at fault.
func TestAbandonedQuestions(t *testing.T) {
	for forwards, want := range map[bool]Reason{false: NeverReturns, true: GivesUp} {
		x := questions{open: map[uint32]*question{}}
		for id := range uint32(MaxAbandoned) {
			x.open[id] = &question{}
			if err := x.finish(id, x.open[id], forwards); err != nil {
				t.Fatalf("question %d: %v", id, err)
			}
		}
		refused, ok := x.finish(MaxAbandoned, &question{}, forwards).(*Refusal)
		if !ok || refused.Reason != want {
			t.Errorf("forwarding %t: got %v, want %s", forwards, refused, want)
		}
	}
}

// TestLanes has a call wait for a capability: another one to the same place must not overtake it, and one to another
// place may. A call that waits for an answer takes its place in the lane of the capability that the answer brings.
func TestLanes(t *testing.T) {
	q := queue{lanes: map[lane]int{}}
	to := func(export uint32) *item { return &item{call: &answer{}, export: export} }
	first, promise := to(3), &answer{}
	q.add(first)
	q.add(&item{call: &answer{}, target: promise})
	if !q.behind(to(3)) || q.behind(to(4)) || q.behind(to(5)) || q.behind(&item{export: 3}) {
		t.Errorf("lanes %v: only a call to 3 would overtake one that waits", q.lanes)
	}
	promise.places = []place{{export: 5, ours: true}}
	q.relane(promise)
	if !q.behind(to(5)) {
		t.Error("a call to 5 overtakes the one that waited for the answer with 5 in it")
	}
	if q.exit(first); q.behind(to(3)) {
		t.Error("a call waits behind nothing")
	}
}

// TestGone has the words of failed calls as the library passes them on.
func TestGone(t *testing.T) {
	for why, want := range map[string]bool{
		"service.capnp:Service.version: " + rpc.ExcClosed.Error():                                         true,
		"rpc: send message: rpc: send message: transport: stream transport: send: write rpc: EOF":         true,
		"rpc: send message: transport: stream transport: send: write unix @->@a: write: broken pipe":      true,
		"rpc: send message: transport: stream transport: send: message is 5000000 bytes, at most 4194304": false,
		"cannot write greeting: no space left":                                                            false,
	} {
		if got := gone(why); got != want {
			t.Errorf("%q: %v", why, got)
		}
	}
}
