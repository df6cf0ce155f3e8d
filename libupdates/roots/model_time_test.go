package roots_test

import (
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// A device of the model: which root it goes by, what time it has attested, and what its clock says. Times are 0 to 4.
type modelDevice struct{ version, expires, seen, wall uint64 }

// An offer is a root or a set: when it is issued, when it expires, and whether it resets the time.
type offer struct {
	issued, expires uint64
	resets          bool
}

func offers(resets bool) (all []offer) {
	for issued := uint64(1); issued <= 3; issued++ {
		for _, expires := range []uint64{0, 2, 3, 4} {
			if expires != 0 && expires <= issued {
				continue
			}
			all = append(all, offer{issued, expires, false})
			if resets {
				all = append(all, offer{issued, expires, true})
			}
		}
	}
	return all
}

// takesRoot is the rule: what the time is after a root, and whether it is still valid then.
func (d modelDevice) takesRoot(o offer) (modelDevice, bool) {
	next := modelDevice{d.version + 1, o.expires, max(d.seen, o.issued), d.wall}
	if o.resets {
		next.seen = o.issued
	}
	return next, o.expires == 0 || max(next.seen, d.wall) < o.expires
}

// takesSet is the rule: neither the set nor the root has expired, by the set's own time as well.
func (d modelDevice) takesSet(o offer) (modelDevice, bool) {
	now := max(d.seen, d.wall, o.issued)
	fits := func(limit uint64) bool { return limit == 0 || now < limit }
	d.seen = max(d.seen, o.issued)
	return d, fits(o.expires) && fits(d.expires)
}

// modelRoot is a root that key 1 alone signs.
func modelRoot(t *testing.T, version uint64, o offer) roots.Signed {
	return signed(t, but(good(), func(r *roots.Root) {
		r.Version, r.Issued, r.Expires, r.ResetsTime = version, o.issued, o.expires, o.resets
		r.Keys = named(1)
		r.Grants = []roots.Grant{{Role: trust.RoleRoot, Threshold: 1, Keys: pubs(1)},
			{Role: trust.RoleSystem, Threshold: 1, Keys: pubs(1)}}
	}), 1)
}

// Everything that can happen to a device in any order, up to root 4: a clock that says anything, restarts, roots, sets.
// Each answer is the rule's, a refusal changes nothing, no step leads back to an earlier root, and only a root that
// resets the time leads back to an earlier time.
func TestModelOfTime(t *testing.T) {
	const last = 4
	first := modelRoot(t, 1, offer{issued: 1})
	start, err := roots.Begin([]roots.Signed{first}, first.Digest(), roots.Clock{})
	wantReason(t, err, "")
	byVersion := map[uint64]map[offer]roots.Signed{}
	for version := uint64(2); version <= last; version++ {
		byVersion[version] = map[offer]roots.Signed{}
		for _, o := range offers(true) {
			byVersion[version][o] = modelRoot(t, version, o)
		}
	}
	states := map[modelDevice]roots.State{{1, 0, 1, 0}: start}
	queue := []modelDevice{{1, 0, 1, 0}}
	steps, refused := 0, 0
	reach := func(from, to modelDevice, state roots.State, resets bool) {
		steps++
		if state.Root.Version != to.version || state.Seen != to.seen || state.Root.Expires != to.expires {
			t.Fatalf("from %+v: root %d, time %d, limit %d; want %+v", from, state.Root.Version, state.Seen,
				state.Root.Expires, to)
		}
		if to.version < from.version || to.seen < from.seen && !resets {
			t.Fatalf("%+v leads back to %+v", from, to)
		}
		if _, known := states[to]; !known {
			states[to] = state
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		state, clock := states[d], roots.Clock{Wall: d.wall}
		for wall := range uint64(5) {
			reach(d, modelDevice{d.version, d.expires, d.seen, wall}, state, false)
		}
		reach(d, modelDevice{d.version, d.expires, max(d.seen, d.wall), d.wall}, state.Saw(state.Now(clock)), false)
		stored, err := roots.Load(state.Encode())
		wantReason(t, err, "")
		reach(d, modelDevice{d.version, d.expires, d.seen, 0}, stored, false)
		for o, s := range byVersion[d.version+1] {
			next, err := state.Update([]roots.Signed{s}, clock)
			to, takes := d.takesRoot(o)
			if takes != (err == nil) || !takes && refusal.Of(err) != refusal.Expired {
				t.Fatalf("from %+v, root %+v: %v", d, o, err)
			}
			if takes {
				reach(d, to, next, o.resets)
			} else {
				refused++
			}
		}
		for _, o := range offers(false) {
			err := state.Admit(roots.Verdict{Role: trust.RoleSystem, Grants: state.Root.Grants[1:]},
				roots.Claim{Version: "1.0.0", Issued: o.issued, Expires: o.expires}, clock)
			to, takes := d.takesSet(o)
			if takes != (err == nil) || !takes && refusal.Of(err) != refusal.Expired {
				t.Fatalf("from %+v, set %+v: %v", d, o, err)
			}
			if takes {
				reach(d, to, state.Saw(o.issued), false)
			} else {
				refused++
			}
		}
	}
	if refused == 0 || len(states) < 100 {
		t.Fatalf("the model is trivial: %d states, %d refusals", len(states), refused)
	}
	t.Logf("%d states, %d steps, %d refusals", len(states), steps, refused)
}
