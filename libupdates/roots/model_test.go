package roots_test

import (
	"math/bits"
	"testing"

	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// A universe of three keys: every role root that they can have, every step from each to each, every set of signers.
// What Next answers is compared with the rule, written down once more in bits.

// A config is a role root: which keys, as bits, how many of them, and which other keys are revoked.
type config struct {
	keys, revoked uint8
	need          int
}

const universe = 0b111

func configs() (all []config) {
	for keys := uint8(1); keys <= universe; keys++ {
		for need := 1; need <= bits.OnesCount8(keys); need++ {
			for revoked := range uint8(universe + 1) {
				if revoked&keys == 0 {
					all = append(all, config{keys, revoked, need})
				}
			}
		}
	}
	return all
}

// numbers are the keys of a set of bits.
func numbers(set uint8) (list []byte) {
	for n := range byte(3) {
		if set&(1<<n) != 0 {
			list = append(list, n+1)
		}
	}
	return list
}

func (c config) root(version uint64, family string) roots.Root {
	return but(good(), func(r *roots.Root) {
		r.Version, r.Family, r.Expires = version, family, 0
		r.Grants[0].Keys, r.Grants[0].Threshold = pubs(numbers(c.keys)...), c.need
		r.RevokedKeys = pubs(numbers(c.revoked)...)
	})
}

// follows is the rule.
func (c config) follows(old config, signers uint8, step uint64, family string) bool {
	return step == 1 && family == "demo" && old.revoked&^c.revoked == 0 &&
		bits.OnesCount8(signers&old.keys) >= old.need && bits.OnesCount8(signers&c.keys) >= c.need
}

func TestModelOfAStep(t *testing.T) {
	accepted := 0
	keys := map[byte]trust.PublicKey{1: pub(1), 2: pub(2), 3: pub(3)}
	olds := map[config]roots.Root{}
	for _, old := range configs() {
		olds[old] = old.root(5, "demo")
	}
	for _, new := range configs() {
		for step, family := range map[uint64]string{0: "demo", 1: "demo", 2: "demo", 1 << 63: "demo"} {
			next := new.root(5+step, family)
			all := signed(t, next, 1, 2, 3)
			for signers := range uint8(universe + 1) {
				if step != 1 && signers != universe {
					continue // the version is looked at only once the signatures suffice
				}
				some := all
				some.Signatures = nil
				for _, s := range all.Signatures {
					for _, n := range numbers(signers) {
						if s.Key == keys[n] {
							some.Signatures = append(some.Signatures, s)
						}
					}
				}
				for old, root := range olds {
					got, err := root.Next(some)
					want := new.follows(old, signers, step, family)
					if (err == nil) != want {
						t.Fatalf("from %+v to %+v by %03b, %d versions on: %v, want %t", old, new, signers, step, err,
							want)
					}
					if err == nil {
						accepted++
						if got.Version != 6 {
							t.Fatalf("root 5 became root %d", got.Version)
						}
					}
				}
			}
		}
	}
	if accepted == 0 {
		t.Fatal("the model accepts nothing")
	}
	t.Logf("%d steps accepted", accepted)
}

// From each role root, everything is walked that an attacker can reach who holds some of the keys and everything that
// was ever signed. As long as they hold fewer keys than each root on the way asks for, the device is where its owner
// put it.
func TestModelOfAnAttacker(t *testing.T) {
	owner := []config{{0b011, 0, 2}, {0b110, 0b001, 2}, {0b110, 0b001, 1}}
	for attacker := range uint8(universe + 1) {
		for at, old := range owner {
			current := old.root(uint64(at+1), "demo")
			holds := bits.OnesCount8(attacker & old.keys)
			reached := 0
			for _, new := range configs() {
				forged := new.root(uint64(at+2), "demo")
				if _, err := current.Next(signed(t, forged, numbers(attacker)...)); err == nil {
					reached++
				}
			}
			if (reached > 0) != (holds >= old.need) {
				t.Errorf("keys %03b reach %d roots from %+v", attacker, reached, old)
			}
		}
	}
}

// Whatever a set's signers, its verdict is that of counting bits, for every threshold over three keys.
func TestModelOfASet(t *testing.T) {
	message := []byte("an index")
	var by [3]trust.Signature
	for n := range by {
		by[n] = sign(t, byte(n+1), message)
	}
	for _, c := range configs() {
		r := but(good(), func(r *roots.Root) {
			r.Grants = []roots.Grant{
				{Role: trust.RoleRoot, Threshold: 1, Keys: pubs(4)},
				{Role: trust.RoleSystem, Threshold: c.need, Keys: pubs(numbers(c.keys)...)},
			}
			r.RevokedKeys = pubs(numbers(c.revoked)...)
		})
		for publisher := range byte(3) {
			for others := range uint8(universe + 1) {
				var more []trust.Signature
				for _, n := range numbers(others) {
					more = append(more, by[n-1])
				}
				signers := others | 1<<publisher
				want := c.keys&(1<<publisher) != 0 && bits.OnesCount8(signers&c.keys) >= c.need
				_, err := r.Verify(trust.RoleSystem, message, by[publisher].Bytes[:], more)
				if (err == nil) != want {
					t.Fatalf("%+v, by %d and %03b: %v, want %t", c, publisher+1, others, err, want)
				}
			}
		}
	}
}
