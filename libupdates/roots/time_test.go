package roots_test

import (
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
)

const day = 86_400_000

// The time that counts is the largest that anything attests.
func TestNow(t *testing.T) {
	for _, c := range []struct {
		name  string
		seen  uint64
		clock roots.Clock
		want  uint64
	}{
		{"nothing is known", 0, roots.Clock{}, 0},
		{"the clock was never set", 50 * day, roots.Clock{Wall: 1, Built: 40 * day}, 50 * day},
		{"nothing was signed since the build", 30 * day, roots.Clock{Wall: 1, Built: 40 * day}, 40 * day},
		{"the clock is right", 50 * day, roots.Clock{Wall: 60 * day, Built: 40 * day}, 60 * day},
		{"the clock went back", 50 * day, roots.Clock{Wall: 20 * day, Built: 40 * day}, 50 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (roots.State{Seen: c.seen}).Now(c.clock); got != c.want {
				t.Errorf("it is %d, want %d", got, c.want)
			}
		})
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	state := begun(t, good(), 1, 2)
	if state.Seen != issued {
		t.Fatalf("a root issued at %d attests %d", issued, state.Seen)
	}
	state = state.Saw(issued + 5*day).Saw(issued + day)
	if state.Seen != issued+5*day {
		t.Fatalf("an older time took the place of a newer one: %d", state.Seen)
	}
	earlier := signed(t, following(func(r *roots.Root) { r.Issued, r.Expires = issued+1, 0 }), 1, 2)
	state, err := state.Update([]roots.Signed{earlier}, roots.Clock{})
	if wantReason(t, err, ""); state.Seen != issued+5*day {
		t.Fatalf("a root that was issued earlier set the time back to %d", state.Seen)
	}
	state, err = roots.Load(state.Encode())
	if wantReason(t, err, ""); state.Seen != issued+5*day {
		t.Fatalf("a restart set the time back to %d", state.Seen)
	}
}

// Somebody signed with a time far in the future. A root that resets the time is the way out, and only once.
func TestFastForwardHasAWayOut(t *testing.T) {
	const future = 1000 * issued
	stuck := begun(t, good(), 1, 2).Saw(future)
	plain := signed(t, following(nil), 1, 2)
	_, err := stuck.Update([]roots.Signed{plain}, roots.Clock{})
	wantReason(t, err, refusal.Expired)

	out := signed(t, following(func(r *roots.Root) { r.ResetsTime, r.Issued = true, issued+1 }), 1, 2)
	state, err := stuck.Update([]roots.Signed{out}, roots.Clock{})
	if wantReason(t, err, ""); state.Seen != issued+1 {
		t.Fatalf("after the reset it is %d", state.Seen)
	}
	if again, err := state.Saw(issued+9).Update([]roots.Signed{out}, roots.Clock{}); err != nil ||
		again.Seen != issued+9 {
		t.Fatalf("the same root reset the time twice: %d, %v", again.Seen, err)
	}
	_, err = stuck.Update([]roots.Signed{signed(t, following(func(r *roots.Root) { r.ResetsTime = true }), 1)},
		roots.Clock{})
	wantReason(t, err, refusal.ThresholdNotMet)
	_, err = stuck.Update([]roots.Signed{out}, roots.Clock{Wall: future}) // a wrong clock must be set right by hand
	wantReason(t, err, refusal.Expired)
}

// A device that was away walks through roots that are past their time; the last one must not be.
func TestRootsBetweenMayHaveExpired(t *testing.T) {
	at := func(version, expires uint64) roots.Signed {
		return signed(t, following(func(r *roots.Root) { r.Version, r.Expires = version, expires }), 1, 2)
	}
	away := begun(t, good(), 1, 2) // whose own root expires at 2 * issued
	clock := roots.Clock{Wall: 5 * issued}
	for _, c := range []struct {
		name  string
		chain []roots.Signed
		want  refusal.Reason
	}{
		{"the last one is valid", []roots.Signed{at(2, 3*issued), at(3, 4*issued), at(4, 6*issued)}, ""},
		{"the last one has no limit", []roots.Signed{at(2, 3*issued), at(3, 0)}, ""},
		{"the last one has expired", []roots.Signed{at(2, 6*issued), at(3, 4*issued)}, refusal.Expired},
		{"it expires this very moment", []roots.Signed{at(2, 5*issued)}, refusal.Expired},
		{"it expires in a moment", []roots.Signed{at(2, 5*issued+1)}, ""},
		{"nothing new, and the present one has expired", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := away.Update(c.chain, clock)
			wantReason(t, err, c.want)
		})
	}
}

// The clock at the moment when an operator gave the first root stays attested.
func TestBeginCountsTheClock(t *testing.T) {
	s := signed(t, good(), 1, 2)
	state, err := roots.Begin([]roots.Signed{s}, s.Digest(), roots.Clock{Wall: issued + 7, Built: issued + 9})
	if wantReason(t, err, ""); state.Seen != issued+9 {
		t.Errorf("it attests %d", state.Seen)
	}
}
