package initd

import (
	"errors"
	"io"
	"slices"
	"testing"

	"nexus/daemons/initd/links"
	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// TestWhatTheNextCoreIsTold hands over after revocations, some of them granted again, before and after the attempt was
// counted.
func TestWhatTheNextCoreIsTold(t *testing.T) {
	type words = []string
	revoke := func(r *revocations, client string) { mustNot(t, r.Revoke(client, "LogSink")) }
	for name, c := range map[string]struct {
		handed machine.Handed
		does   func(*revocations)
		want   words
		excuse string
	}{
		"nothing": {does: func(*revocations) {}},
		"before the attempt": {
			does: func(r *revocations) { revoke(r, "execd"); r.attempted(r.all().Count) },
			want: words{"execd LogSink"},
		},
		"after it": {
			does: func(r *revocations) {
				revoke(r, "execd")
				r.attempted(r.all().Count)
				revoke(r, "samgrd")
			},
			want: words{"execd LogSink", "samgrd LogSink"}, excuse: "samgrd LogSink",
		},
		"after it, and granted again": {
			does: func(r *revocations) {
				r.attempted(0)
				revoke(r, "execd")
				mustNot(t, r.Grant("execd", "LogSink"))
			},
			excuse: "execd LogSink",
		},
		"a role, on which no service depends": {
			does: func(r *revocations) { r.attempted(0); mustNot(t, r.Revoke("status", operatorFacet)) },
			want: words{"status Operator"},
		},
		"what this core was told itself": {
			handed: machine.Handed{Revoked: words{"nobody Nothing", "execd LogSink"}, Excuse: "execd LogSink"},
			does:   func(r *revocations) { r.attempted(r.all().Count) },
			want:   words{"nobody Nothing", "execd LogSink"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRevocations(c.handed)
			c.does(r)
			var next machine.Handed
			r.leave(&next)
			if !slices.Equal(next.Revoked, c.want) || next.Excuse != c.excuse {
				t.Errorf("left are %q, excuse %q, want %q, %q", next.Revoked, next.Excuse, c.want, c.excuse)
			}
		})
	}
}

func mustNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheExcuseIsCounted has a core begin with something that was revoked after its attempt was counted.
func TestTheExcuseIsCounted(t *testing.T) {
	want := health.Revocations{Count: 1, Last: "execd LogSink"}
	if got := newRevocations(machine.Handed{Excuse: "execd LogSink"}).all(); got != want {
		t.Errorf("got %+v", got)
	}
	if got := newRevocations(machine.Handed{Revoked: []string{"execd LogSink"}}).all(); got != (health.Revocations{}) {
		t.Errorf("got %+v", got)
	}
}

// TestNothingIsRevokedTooLate revokes and grants once the next core has the list: both are refused, and nothing has
// changed, of links and of roles.
func TestNothingIsRevokedTooLate(t *testing.T) {
	handed := machine.Handed{Revoked: []string{"execd PackageFs", "stage Operator"}}
	s := newSystem(Config{Handed: handed}, plat.Host{Clock: plat.RealClock{}, Spawner: sweeper{}}, nil, io.Discard)
	s.taken.leave(&machine.Handed{})
	before := s.links.Granted()
	roles := len(s.ways.open(Roles()))
	if roles != len(Roles())-1 {
		t.Errorf("%d roles are open", roles)
	}
	a := &authorityServer{links: s.links, ways: s.ways, graph: graph(s.table, Roles()), log: s.log}
	for _, is := range [][2]string{{"execd", "BundleMgr"}, {"status", "Operator"}} {
		if err := a.revoke(is[0], is[1]); !errors.Is(err, errGoingOn) {
			t.Errorf("revoke %v: %v", is, err)
		}
	}
	for _, is := range [][2]string{{"execd", "PackageFs"}, {"stage", "Operator"}} {
		if err := a.grant(is[0], is[1]); !errors.Is(err, errGoingOn) {
			t.Errorf("grant %v: %v", is, err)
		}
	}
	if !slices.EqualFunc(before, s.links.Granted(), sameRow) || len(s.ways.open(Roles())) != roles {
		t.Errorf("it was %v, and is %v", before, s.links.Granted())
	}
}

func sameRow(a, b links.Row) bool {
	return a.Name == b.Name && slices.EqualFunc(a.Holds, b.Holds, func(a, b links.Edge) bool {
		return a.Facet == b.Facet && slices.Equal(a.Grants, b.Grants)
	})
}
