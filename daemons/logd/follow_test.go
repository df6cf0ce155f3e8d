package logd_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/vat/vattest"
)

// A follower collects what it is sent. With a gate it answers each call only once the gate opens.
type follower struct {
	t     *testing.T
	calls chan []record // one per call that began
	lost  atomic.Uint64 // what it was told that it missed
	gate  chan struct{} // nil: no gate
	over  chan struct{} // closed when nobody holds it any more
}

func newFollower(t *testing.T) *follower {
	return &follower{t: t, calls: make(chan []record, 1024), over: make(chan struct{})}
}

func (f *follower) Records(ctx context.Context, call journal.Follower_records) error {
	f.lost.Add(call.Args().Missed())
	list, err := call.Args().Records()
	f.calls <- readRecords(f.t, list, err)
	if f.gate == nil {
		return nil
	}
	call.Go()
	select {
	case <-f.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *follower) Shutdown() { close(f.over) }

// collect waits for n records.
func (f *follower) collect(n int) []record {
	f.t.Helper()
	var got []record
	for len(got) < n {
		got = append(got, receive(f.t, f.calls)...)
	}
	return got
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(vattest.Patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// follow subscribes; what it returns ends the subscription.
func follow(t *testing.T, j journal.Journal, f *follower, set func(journal.Filter) error) (func(), error) {
	t.Helper()
	answer, release := j.Follow(t.Context(), func(p journal.Journal_follow_Params) error {
		if err := p.SetFollower(journal.Follower_ServerToClient(f)); err != nil {
			return err
		}
		filter, err := p.NewFilter()
		if err != nil || set == nil {
			return err
		}
		return set(filter)
	})
	if _, err := answer.Struct(); err != nil {
		release()
		return func() {}, err
	}
	return release, nil
}

func mustFollow(t *testing.T, j journal.Journal, f *follower, set func(journal.Filter) error) (drop func()) {
	t.Helper()
	drop, err := follow(t, j, f, set)
	if err != nil {
		t.Fatalf("cannot follow: %v", err)
	}
	return drop
}

func TestFollowSendsWhatIsThereThenWhatComes(t *testing.T) {
	r := start(t)
	sink := r.sink("updated")
	mustWrite(t, sink, info("old"), info("one"), message(journal.Level_debug, "too quiet"), info("two"))
	f := newFollower(t)
	mustFollow(t, r.journal(), f, func(m journal.Filter) error {
		m.SetMinLevel(journal.Level_info)
		m.SetLimit(2)
		return nil
	})
	if got := texts(f.collect(2)); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("began with %q", got)
	}
	mustWrite(t, sink, message(journal.Level_debug, "too quiet"), info("three"))
	mustWrite(t, r.sink("keystored"), info("four"))
	if got := texts(f.collect(2)); !slices.Equal(got, []string{"three", "four"}) {
		t.Errorf("went on with %q", got)
	}
}

func TestFollowSendsAtMost64AtOnce(t *testing.T) {
	r := start(t)
	mustWrite(t, r.sink("updated"), make([]logclient.Entry, 200)...)
	f := newFollower(t)
	mustFollow(t, r.journal(), f, nil)
	var sizes []int
	for _, want := range []int{64, 64, 64, 8} {
		sizes = append(sizes, len(receive(t, f.calls)))
		if sizes[len(sizes)-1] != want {
			t.Fatalf("calls of %d records", sizes)
		}
	}
}

// A follower that never answers holds nobody up, has one call under way, and is told how much it missed.
func TestStuckFollowerHoldsNobodyUp(t *testing.T) {
	r := start(t)
	sink := r.sink("updated")
	stuck, prompt := newFollower(t), newFollower(t)
	stuck.gate = make(chan struct{})
	mustFollow(t, r.journal(), stuck, nil)
	mustFollow(t, r.journal(), prompt, nil)
	mustWrite(t, sink, info("first"))
	if got := stuck.collect(1); got[0].sequence != 1 {
		t.Fatalf("began with %v", got)
	}
	large := info(strings.Repeat("x", 4096))
	const flood = 20 * 64 // over what the ring holds of that size
	prompt.collect(1)
	for range 20 {
		mustWrite(t, sink, slices.Repeat([]logclient.Entry{large}, 64)...)
		prompt.collect(64)
	}
	if n := len(stuck.calls); n != 0 {
		t.Errorf("%d calls beside the one that is not answered", n)
	}
	close(stuck.gate)
	next := receive(t, stuck.calls)
	if next[0].sequence == 2 {
		t.Error("the flood was kept for a follower that did not answer")
	}
	if missed := next[0].sequence - 2; stuck.lost.Load() != missed {
		t.Errorf("it is told of %d that it missed, not of %d", stuck.lost.Load(), missed)
	}
	if prompt.lost.Load() != 0 {
		t.Errorf("one that answered missed %d", prompt.lost.Load())
	}
	last := next[len(next)-1]
	for last.sequence != 1+flood {
		batch := receive(t, stuck.calls)
		if batch[0].sequence != last.sequence+1 {
			t.Fatalf("a gap from %d to %d while it answered", last.sequence, batch[0].sequence)
		}
		last = batch[len(batch)-1]
	}
}

// A follower misses only what it asked for: a flood of others is not its loss.
func TestFollowerMissesOnlyWhatItAskedFor(t *testing.T) {
	r := start(t)
	quiet := newFollower(t)
	mustFollow(t, r.journal(), quiet, of("quiet"))
	large := info(strings.Repeat("x", 4096))
	for range 20 {
		mustWrite(t, r.sink("loud"), slices.Repeat([]logclient.Entry{large}, 64)...)
	}
	mustWrite(t, r.sink("quiet"), info("one"))
	quiet.collect(1)
	if quiet.lost.Load() != 0 {
		t.Errorf("it is told that it missed %d", quiet.lost.Load())
	}
}

func TestDroppedSubscriptionEnds(t *testing.T) {
	for name, gate := range map[string]chan struct{}{"while idle": nil,
		"while a call is not answered": make(chan struct{})} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			sink := r.sink("updated")
			f := newFollower(t)
			f.gate = gate
			drop := mustFollow(t, r.journal(), f, nil)
			mustWrite(t, sink, info("one"))
			f.collect(1)
			drop()
			receive(t, f.over)
			mustWrite(t, sink, info("two"))
			if len(f.calls) != 0 {
				t.Error("records came after the subscription was dropped")
			}
		})
	}
}

func TestDeadFollowerEnds(t *testing.T) {
	r := start(t)
	client, cut, err := r.Connect("Journal", "operator")
	if err != nil {
		t.Fatal(err)
	}
	f := newFollower(t)
	mustFollow(t, journal.Journal(client), f, nil)
	cut()
	receive(t, f.over)
	mustWrite(t, r.sink("updated"), info("goes on"))
}

func TestFollowRefusals(t *testing.T) {
	r := start(t)
	j := r.journal()
	answer, release := j.Follow(t.Context(), nil)
	defer release()
	_, err := answer.Struct()
	wantError(t, err, "the observer is null")

	var drops []func()
	for range 16 {
		drops = append(drops, mustFollow(t, j, newFollower(t), nil))
	}
	over := newFollower(t)
	if _, err := follow(t, j, over, nil); !exc.IsType(err, exc.Overloaded) {
		t.Errorf("the 17th subscription: %v, want overloaded", err)
	}
	mustFollow(t, r.journal(), newFollower(t), nil) // another client has its own quota
	for _, drop := range drops {
		drop()
	}
	again := newFollower(t)
	for range 10000 { // each look is a call; logd takes the drops in behind them
		if _, err = follow(t, j, again, nil); err == nil {
			return
		}
		again = newFollower(t)
	}
	t.Errorf("after all were dropped: %v", err)
}
