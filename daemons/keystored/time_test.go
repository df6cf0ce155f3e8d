package keystored_test

import (
	"context"
	"testing"
	"time"

	"nexus/daemons/keystored"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/updatestest"
)

const day = 86_400_000 // in milliseconds

// begun returns the folders of a device that has a root, whose clock was never set.
func begun(t *testing.T, first roots.Signed) (trustDir, rootsDir string) {
	t.Helper()
	trustDir, rootsDir = trusting(t, t.TempDir(), "system", updatestest.Key(1)), t.TempDir()
	d := device(t, trustDir, rootsDir, 1)
	pin := first.Digest()
	if _, reason := update(t, d, first.Encode(), pin[:]); reason != "" {
		t.Fatal(reason)
	}
	d.Stop()
	return trustDir, rootsDir
}

// Each row is one boot of the same device, with the clock that it finds. It is offered a set that expires on the tenth
// day.
// What has expired stays so, whatever the clock says later, and what is valid is never refused.
func TestTimeOverReboots(t *testing.T) {
	trustDir, rootsDir := begun(t, root(t, 1, nil))
	limited, limitedProof := index(t, 3, january, january+10*day, 4)
	lasting, lastingProof := index(t, 3, january, 0, 4)
	for _, boot := range []struct {
		name  string
		clock uint64
		roots []byte // given by the operator
		want  refusal.Reason
	}{
		{"the clock was never set", 1, nil, ""},
		{"the clock is right", january + 9*day, nil, ""},
		{"the clock was never set again", 1, nil, ""},
		{"the day has come", january + 10*day, nil, refusal.Expired},
		{"the clock fell back to 1970", 1, nil, refusal.Expired},
		{"the clock fell back by a day", january + 9*day, nil, refusal.Expired},
		{"the clock was years ahead", january + 4000*day, nil, refusal.Expired},
		{"and is right again", january + 9*day, nil, refusal.Expired},
		{"the next root does not change that", january + 9*day, root(t, 2, nil).Encode(), refusal.Expired},
		{"a root resets the time", january + 9*day,
			root(t, 3, func(r *roots.Root) { r.ResetsTime, r.Issued = true, january+8*day }).Encode(), ""},
		{"it stays reset", 1, nil, ""},
	} {
		d := device(t, trustDir, rootsDir, boot.clock)
		if boot.roots != nil {
			if _, reason := update(t, d, boot.roots, nil); reason != "" {
				t.Fatalf("%s: the root is refused as %q", boot.name, reason)
			}
		}
		if got := admit(t, d, limited, limitedProof); got != boot.want {
			t.Errorf("%s: a set with a limit: got %q, want %q", boot.name, got, boot.want)
		}
		if got := admit(t, d, lasting, lastingProof); got != "" {
			t.Errorf("%s: a set without a limit is refused as %q", boot.name, got)
		}
		if _, reason := verify(t, d, "system", limited, limitedProof); reason != "" {
			t.Errorf("%s: what was installed no longer runs: %s", boot.name, reason)
		}
		d.Stop()
	}
}

// Somebody signed a set with a time far in the future, and the device installed it: its root has expired, and no set is
// admitted. A root that resets the time is the way out; no other is.
func TestWayOutOfTheFuture(t *testing.T) {
	limited := func(r *roots.Root) { r.Expires = january + 300*day }
	trustDir, rootsDir := begun(t, root(t, 1, nil))
	d := device(t, trustDir, rootsDir, january+day)
	future, futureProof := index(t, 3, january+100_000*day, 0, 4)
	today, todayProof := index(t, 3, january+day, january+30*day, 4)
	if got := admit(t, d, future, futureProof); got != "" {
		t.Fatal(got)
	}
	d.Stop()

	d = device(t, trustDir, rootsDir, january+day)
	if got := admit(t, d, today, todayProof); got != refusal.Expired {
		t.Errorf("a set of today: got %q", got)
	}
	if _, got := update(t, d, root(t, 2, limited).Encode(), nil); got != refusal.Expired {
		t.Errorf("a root of today: got %q", got)
	}
	out := root(t, 2, func(r *roots.Root) { limited(r); r.ResetsTime = true })
	if _, got := update(t, d, out.Encode(), nil); got != "" {
		t.Errorf("a root that resets the time: got %q", got)
	}
	d.Stop()

	d = device(t, trustDir, rootsDir, january+day)
	if got := admit(t, d, today, todayProof); got != "" {
		t.Errorf("after that, a set of today: got %q", got)
	}
}

// hands is a clock that the test sets. A look at it once more means that the look before has had its effect.
type hands struct {
	now  chan time.Time      // of which one is taken each time that somebody asks
	wait chan chan time.Time // of those who wait
}

func (h hands) Now() time.Time { return <-h.now }

func (h hands) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time)
	h.wait <- c
	return c
}

// A device that nobody asks anything attests the time as well: after a month of running it does not go back to 1970.
func TestTimeOfAnIdleDevice(t *testing.T) {
	trustDir, rootsDir := begun(t, root(t, 1, nil))
	clock := hands{make(chan time.Time, 1), make(chan chan time.Time)}
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return keystored.Run(ctx, b, plat.Host{Clock: clock})
	})
	d.Provide("LogSink", warnings(make(chan string, 64)).client())
	d.Dir("trust", trustDir)
	d.Dir("roots", rootsDir)
	hour := <-clock.wait
	before := files(t, rootsDir)
	clock.now <- time.UnixMilli(january + 60_000) // a minute on, which is not worth a write
	hour <- time.Time{}
	hour = <-clock.wait
	if files(t, rootsDir) != before {
		t.Error("a minute was stored")
	}
	clock.now <- time.UnixMilli(january + 30*day)
	hour <- time.Time{}
	<-clock.wait

	raw, proof := index(t, 3, january, january+29*day, 4)
	if got := admit(t, device(t, trustDir, rootsDir, 1), raw, proof); got != refusal.Expired {
		t.Errorf("a set that expired yesterday: got %q", got)
	}
}
