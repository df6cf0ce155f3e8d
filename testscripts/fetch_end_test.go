package testscripts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
)

// A wait is something for which a fetch waits. begin has the fetch wait, and closes the channel once that is certain.
type wait struct {
	name  string
	keeps bool // something of the set came before
	begin func(t *testing.T, r *crashRig, l *ocitest.Line) (waits <-chan struct{})
}

// waits are all of them. None ends by itself within minutes.
func waits() []wait {
	return []wait{
		{"the registry sends nothing more", true, func(t *testing.T, _ *crashRig, l *ocitest.Line) <-chan struct{} {
			reached, over := make(chan struct{}), make(chan struct{})
			t.Cleanup(func() { close(over) })
			l.When(2<<20, func() {
				close(reached)
				<-over
			})
			return reached
		}},
		{"the registry is away", true, func(t *testing.T, r *crashRig, l *ocitest.Line) <-chan struct{} {
			l.When(2<<20, func() { l.Turn(true) })
			paused := make(chan struct{})
			go func() {
				defer close(paused)
				for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); time.Sleep(lookEvery) {
					if strings.Contains(r.log(), "fetch interrupted") {
						return
					}
				}
			}()
			return paused
		}},
		{"the registry has never answered", false, func(t *testing.T, _ *crashRig, l *ocitest.Line) <-chan struct{} {
			mute, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			asked := make(chan struct{})
			go func() {
				for first := true; ; first = false {
					conn, err := mute.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					if first {
						close(asked)
					}
				}
			}()
			t.Cleanup(func() { mute.Close() })
			l.To = mute.Addr().String()
			return asked
		}},
	}
}

// lookEvery is the pause between two looks at a log.
const lookEvery = 100 * time.Millisecond

// log is the whole log of the system.
func (r *crashRig) log() string {
	v := r.start("log")
	<-v.Done
	return v.Stdout.String()
}

// TestFetchEndsAtOnce ends a fetch that waits for its registry: by `nx discard`, which somebody else calls, and by
// Ctrl-C. What came is dropped, or kept. All who look see how far it was.
func TestFetchEndsAtOnce(t *testing.T) {
	t.Parallel()
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	push(t, big(t, "3.0.0", 6<<20), fmt.Sprintf("oci://%s/big:3", registry.Host))
	for _, w := range waits() {
		for _, by := range []string{"discard", "Ctrl-C"} {
			t.Run(w.name+"/"+by, func(t *testing.T) {
				t.Parallel()
				l := ocitest.NewLine(t, registry.Host)
				r := newFetchRig(t)
				begun := w.begin(t, r, l)
				fetch := r.start("update", fmt.Sprintf("oci://%s/big:3", l.Host()))
				select {
				case <-begun:
				case <-time.After(waitLimit):
					t.Fatalf("nothing is waited for: %s", fetch.Said())
				}
				var now struct{ StagingDoneBytes, StagingTotalBytes int64 }
				if err := r.ask(&now, "status"); err != nil {
					t.Fatal(err)
				}
				if w.name == "the registry sends nothing more" && (now.StagingDoneBytes == 0 ||
					now.StagingTotalBytes < 6<<20) {
					t.Errorf("others see %+v", now)
				}
				r.endFetch(t, fetch, by)
				_, err := os.Stat(r.at("system/sets/.kept"))
				if want := w.keeps && by == "Ctrl-C"; want != (err == nil) || err != nil &&
					!errors.Is(err, os.ErrNotExist) {
					t.Errorf("something is kept: %t (%v), want %t", err == nil, err, want)
				}
			})
		}
	}
}

// endFetch ends a fetch. The bounds of the fetch itself are minutes, so they are not what ends it.
func (r *crashRig) endFetch(t *testing.T, fetch *verbRun, by ...string) {
	t.Helper()
	want := "interrupted"
	if by[0] == "discard" {
		want = "an operator ended the stage"
		var ended struct{ EndedStage bool }
		if err := r.ask(&ended, by...); err != nil || !ended.EndedStage {
			t.Errorf("nx %q: %+v, %v", by, ended, err)
		}
	} else {
		fetch.Signal(syscall.SIGINT)
	}
	if end := fetch.wait(r); end.reason != "cancelled" || !strings.Contains(end.text, want) {
		t.Errorf("the fetch: %+v", end)
	}
	failed := ""
	r.eventually("fetchd to have ended the fetch", func() bool {
		_, failed, _ = strings.Cut(r.log(), "fetch failed")
		return failed != ""
	})
	if said, _, _ := strings.Cut(failed, "\n"); !strings.Contains(said, "cancelled") {
		t.Errorf("fetchd says %s", said)
	}
}

// TestDiscardEndsFetchOfApps ends a fetch of an app that waits for its registry. `nx discard` alone is for the system,
// and other apps are other apps.
func TestDiscardEndsFetchOfApps(t *testing.T) {
	t.Parallel()
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	push(t, big(t, "3.0.0", 6<<20), fmt.Sprintf("oci://%s/big:3", registry.Host))
	for _, w := range waits() {
		if !w.keeps {
			continue // nobody knows yet which app it is
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			l := ocitest.NewLine(t, registry.Host)
			r := newFetchRig(t)
			r.must("trust", "add", "--role", "apps", "hex-public:"+updatestest.Key(1).Public().String())
			begun := w.begin(t, r, l)
			fetch := r.start("install", fmt.Sprintf("oci://%s/big:3", l.Host()))
			select {
			case <-begun:
			case <-time.After(waitLimit):
				t.Fatalf("nothing is waited for: %s", fetch.Said())
			}
			for reason, line := range map[string][]string{
				"nothing-staged":  {"discard"},
				"unknown-app":     {"discard", "--app", "other"},
				"bad-bundle-name": {"discard", "--app", "../big"},
			} {
				if end := r.nx(line...); end.reason != reason {
					t.Errorf("%q: %+v, want %s", line, end, reason)
				}
			}
			r.endFetch(t, fetch, "discard", "--app", "big")
			if _, err := os.Stat(r.at("system/apps/big/sets/.kept")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something is kept: %v", err)
			}
		})
	}
}
