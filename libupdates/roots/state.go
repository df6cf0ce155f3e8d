package roots

import (
	"slices"

	"nexus/libupdates/refusal"
)

// A State is what a device knows: its root, and the largest time that it has attested, by signatures or by its clock.
// It never goes back, except that a root may reset the time.
type State struct {
	Root   Root
	Signed Signed // the root as it came
	Seen   uint64 // milliseconds since 1970 UTC
	past   []past // the roots before, oldest first
}

// A past root no longer counts for new sets. What was installed under it runs on.
type past struct {
	Root
	signed Signed
}

// A Clock is what a device can say about the time, besides what it has seen signed. Both are in milliseconds since 1970
// UTC. A clock that was never set is 0 or somewhere in 1970.
type Clock struct {
	Wall  uint64
	Built uint64 // when the running system was built
}

// Now returns the time by which validity is judged: the largest that anything attests. A clock that is behind makes
// nothing valid again that is known to be past its time.
func (s State) Now(clock Clock) uint64 { return max(s.Seen, clock.Wall, clock.Built) }

// Saw returns the state after a time was attested.
func (s State) Saw(attested uint64) State {
	s.Seen = max(s.Seen, attested)
	return s
}

// Begin returns the state of a device that an operator gives its first root: the one of the chain that has this digest.
// What precedes it is ignored; what follows it must succeed it. Refusals: RootNotPinned, and those of Update.
func Begin(chain []Signed, pin Digest, clock Clock) (State, error) {
	for i, s := range chain {
		if s.Digest() != pin {
			continue
		}
		root, err := s.Pinned(pin)
		if err != nil {
			return State{}, err
		}
		first := State{Root: root, Signed: s, Seen: root.Issued}
		first = first.Saw(first.Now(clock))
		last, err := first.Update(chain[i+1:], clock)
		if err == nil {
			err = last.fresh(clock)
		}
		return last, err
	}
	return State{}, refusal.New(refusal.RootNotPinned, "no root in the file is the one to begin with, %s", pin)
}

// Update returns the state after the roots of a chain that are newer. Roots between may be past their time, the last
// one may not: a device that was away for years walks to the present. Without a newer root the state is the same.
// Refusals: RootVersion if there is a gap, or another document of the present version; Expired; those of Root.Next.
func (s State) Update(chain []Signed, clock Clock) (State, error) {
	before := s.Root.Version
	s.past = slices.Grow(slices.Clip(s.past), len(chain)) // so that step appends to what no other state shares
	for _, next := range chain {
		if next.Version < s.Root.Version {
			continue
		}
		if next.Version == s.Root.Version {
			if next.Digest() != s.Signed.Digest() {
				return State{}, refusal.New(refusal.RootVersion, "there is another root %d already, %s", next.Version,
					s.Signed.Digest())
			}
			continue
		}
		var err error
		if s, err = s.step(next); err != nil {
			return State{}, err
		}
	}
	if before != s.Root.Version {
		return s, s.fresh(clock)
	}
	return s, nil
}

// fresh refuses a root that is past its time.
func (s State) fresh(clock Clock) error {
	if expired(s.Root.Expires, s.Now(clock)) {
		return refusal.New(refusal.Expired, "root %d has expired", s.Root.Version)
	}
	return nil
}

func (s State) step(next Signed) (State, error) {
	root, err := s.Root.Next(next)
	if err != nil {
		return State{}, err
	}
	after := State{Root: root, Signed: next, Seen: max(s.Seen, root.Issued)}
	if root.ResetsTime {
		after.Seen = root.Issued
	}
	after.past = kept(append(s.past, past{s.Root, s.Signed}), next.size())
	return after, nil
}

// kept returns the newest of these roots that can be stored beside others of this size.
func kept(roots []past, size int) []past {
	for i := len(roots) - 1; i >= 0; i-- {
		if size += roots[i].signed.size(); size > MaxChain {
			return roots[i+1:]
		}
	}
	return roots
}

// expired reports whether a limit has been reached. A limit of 0 never is.
func expired(limit, now uint64) bool { return limit != 0 && now >= limit }
