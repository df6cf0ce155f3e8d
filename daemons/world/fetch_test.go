package world_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nexus/capnpgen/fetch"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/daemons/world"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
	"nexus/nxspack"
	"nexus/oci/ocitest"
)

// maxRequests bounds what a lie costs: ten attempts, and what each of them may ask for.
const maxRequests = 300

// fetchFrom has a shared world fetch a set.
func fetchFrom(t *testing.T, ctx context.Context, w *world.World, reference string) (updateclient.Set, error) {
	t.Helper()
	return fetchAs(t, ctx, w, "stage", reference)
}

// fetchAs is fetchFrom for another role.
func fetchAs(t *testing.T, ctx context.Context, w *world.World, role, reference string) (updateclient.Set, error) {
	t.Helper()
	client, release, err := facetsOf["Fetcher"](ctx, as(t, ctx, w, role))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	set, _, err := updateclient.Fetch(ctx, fetch.Fetcher(client), reference, capupdate.StageProgress{})
	return set, err
}

// pushed pushes a set of alpha, as the lies are about it.
func pushed(t *testing.T, host string) (reference string) {
	t.Helper()
	key := updatestest.Key(1)
	name := filepath.Join(t.TempDir(), "set.nxs")
	raw := updatestest.Archive(t, key, "1.0.0", updatestest.Bundle("alpha", "1.0.0", nil, []byte(ocitest.PayloadText), key))
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	reference = "oci://" + host + "/demo:1"
	var stdout, stderr bytes.Buffer
	if nxspack.RunSetPacker(t.Context(), []string{"push", name, reference}, &stdout, &stderr) != 0 {
		t.Fatalf("cannot push: %s", &stderr)
	}
	return reference
}

// discard drops the staged set: what it holds would not be fetched.
func discard(t *testing.T, ctx context.Context, o *world.Operator) {
	t.Helper()
	updated, err := o.Updated(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer updated.Release()
	set, err := updateclient.Staged(ctx, updated)
	if err == nil {
		err = set.Discard(ctx)
		set.System.Release()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestADeviceRefusesLyingRegistries tells a device all lies that are told to those who pull. It gets the same reason,
// at a bounded cost; nothing is staged, and nothing is left of what was refused.
func TestADeviceRefusesLyingRegistries(t *testing.T) {
	l, host := ocitest.Lying(t)
	reference := pushed(t, host)
	w := shared(t)
	o := w.Operator()
	for _, c := range ocitest.PullLies() {
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			before := stateNow(o)
			l.Lie = c.Lie
			l.Requests.Store(0)
			set, err := fetchFrom(t, ctx, w, reference)
			if c.Reason == "" {
				if err != nil || set.Version != "1.0.0" {
					t.Errorf("got %+v, %v", set, err)
				}
				discard(t, ctx, o)
				return
			}
			if got := refusal.Of(err); string(got) != c.Reason {
				t.Errorf("got %q (%v), want %q", got, err, c.Reason)
			}
			o.AwaitState("the end of the stage", 0, func(s world.State) bool { return !s.Staging })
			unmoved(t, o, before, c.Name)
			if n := l.Requests.Load(); n > maxRequests {
				t.Errorf("it cost %d requests", n)
			}
			if _, err := os.Stat(filepath.Join(w.Dir, "system/sets/.kept")); err != nil {
				return
			}
			if r := refusal.Reason(c.Reason); r != refusal.RegistryUnavailable && r != refusal.Stalled {
				t.Error("something is kept of what was refused")
			}
			l.Lie = nil
			if set, err := fetchFrom(t, ctx, w, reference); err != nil || set.Version != "1.0.0" {
				t.Errorf("then the truth: %+v, %v", set, err)
			}
			discard(t, ctx, o)
		})
	}
}

// TestFetchesAreRefused has fetchd refuse what it need not ask a registry for.
func TestFetchesAreRefused(t *testing.T) {
	w := shared(t)
	long := "oci://127.0.0.1:1/" + string(bytes.Repeat([]byte("a"), 1024)) + ":1"
	for reference, want := range map[string]refusal.Reason{
		"":                           refusal.BadReference,
		"demo:1":                     refusal.BadReference,
		"http://127.0.0.1/demo:1":    refusal.BadReference,
		"oci://user:pw@host/demo:1":  refusal.BadReference,
		"oci://127.0.0.1:1/demo":     refusal.BadReference,
		long:                         refusal.BadReference,
		"oci://127.0.0.1:1/demo:1":   refusal.RegistryUnavailable,
		"oci://host.invalid/demo:1":  refusal.RegistryUnavailable,
		"oci://localhost:1/demo:1.0": refusal.RegistryUnavailable,
	} {
		if _, err := fetchFrom(t, t.Context(), w, reference); refusal.Of(err) != want {
			t.Errorf("%.40q: got %v, want %s", reference, err, want)
		}
	}
}

// TestAnOperatorEndsAFetch ends a fetch that has no stage: the registry has not even named the set.
func TestAnOperatorEndsAFetch(t *testing.T) {
	l, host := ocitest.Lying(t)
	reference := pushed(t, host)
	w := shared(t)
	asked := make(chan struct{}, maxRequests)
	l.Lie = func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		return true
	}
	outcome := make(chan error, 1)
	go func() {
		_, err := fetchFrom(t, t.Context(), w, reference)
		outcome <- err
	}()
	<-asked
	o := w.Operator()
	if ended, err := o.EndStage(); !ended || err != nil {
		t.Errorf("ended %t, %v", ended, err)
	}
	if err := <-outcome; refusal.Of(err) != refusal.Cancelled {
		t.Errorf("the fetch: %v, want %s", err, refusal.Cancelled)
	}
	if _, err := fetchFrom(t, t.Context(), w, reference); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("another at once: %v, want %s", err, refusal.StageInProgress)
	}
	l.Lie = nil
	if _, err := fetchAs(t, t.Context(), w, "control", reference); err != nil {
		t.Errorf("an operator's at once: %v", err)
	}
	w.Clock.Wind(50 * time.Second)
	if _, err := fetchFrom(t, t.Context(), w, reference); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("another while the operator's waits for its switch: %v, want %s", err, refusal.StageInProgress)
	}
	w.Clock.Wind(2 * time.Minute)
	if _, err := fetchFrom(t, t.Context(), w, reference); err != nil {
		t.Errorf("another two minutes later: %v", err)
	}
}

// TestOnlyFetchdSpeaksForOperators has the role stage say that what it stages is for an operator: it has to wait.
func TestOnlyFetchdSpeaksForOperators(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	stage := stager(t, ctx, w)
	if _, err := w.Operator().EndStage(); err != nil {
		t.Fatal(err)
	}
	sink, err := updateclient.ResumeStage(ctx, stage, true, 1<<20, capupdate.StageProgress{})
	if refusal.Of(err) != refusal.StageInProgress {
		if err == nil {
			sink.Release()
		}
		t.Fatalf("a stage: %v, want %s", err, refusal.StageInProgress)
	}
	if err := updateclient.UntilEnded(ctx, stage, true); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("a wait: %v, want %s", err, refusal.StageInProgress)
	}
}
