package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nexus/oci/ocitest"
)

// fleetSize is how many systems TestFleet has: ten processes each. With -short there are fewer.
func fleetSize() int64 {
	if testing.Short() {
		return 4
	}
	return 20
}

// TestFleet has many systems update from one registry at once. It is killed while all of them fetch, and comes back
// when they have noticed. All of them run the new set in the end, and none has fetched more than it may.
func TestFleet(t *testing.T) {
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	push(t, setFile(newVersion), fmt.Sprintf("oci://%s/demo:%s", registry.Host, newVersion))
	info, err := os.Stat(setFile(newVersion))
	if err != nil {
		t.Fatal(err)
	}
	l, fleet := ocitest.NewLine(t, registry.Host), fleetSize()
	var rigs []*crashRig
	for n := range fleet {
		// many processes share the machine: a daemon that waits for its turn does not hang
		rigs = append(rigs, newCrashRig(t, filepath.Join(t.TempDir(), fmt.Sprint(n)), "--hang", "1m", "--health-deadline",
			"5m", "--registry-rate", "1MiB"))
	}
	struck := make(chan struct{})
	l.When(fleet*info.Size()/3, func() {
		registry.Kill()
		close(struck)
	})
	var updates []*verbRun
	for _, r := range rigs {
		updates = append(updates, r.start("update", fmt.Sprintf("oci://%s/demo:%s", l.Host(), newVersion)))
	}
	select {
	case <-struck:
	case <-time.After(waitLimit):
		t.Fatalf("%d bytes were sent", l.Total())
	}
	rigs[0].eventually("as many attempts to connect as there are systems", func() bool { return l.Refused() >= int(fleet) })
	registry.Run(t)
	for i, v := range updates {
		if end := v.wait(rigs[i]); end.exit != 0 {
			t.Errorf("system %d: %+v", i, end)
		}
		if err := rigs[i].ask(&rigs[i].state, "status"); err != nil || rigs[i].state.version("b") != newVersion {
			t.Errorf("system %d: slot b holds %q: %v", i, rigs[i].state.version("b"), err)
		}
	}
	most := fleet * (info.Size() + fetchedTwice)
	if got := l.Total(); got > most {
		t.Errorf("%d bytes came, want %d at most", got, most)
	} else {
		t.Logf("%d bytes came for %d systems, a set has %d", got, fleet, info.Size())
	}
}
