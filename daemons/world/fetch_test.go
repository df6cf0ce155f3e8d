package world_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nexus/capnpgen/fetch"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
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
	raw := updatestest.Archive(t, key, "1.0.0", updatestest.Bundle("alpha", "1.0.0", nil, []byte(ocitest.PayloadText),
		key))
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

// A route is a way by which sets are fetched: to the system, or to a package of apps.
type route struct {
	apps  bool
	kept  string // where an interrupted stage keeps what came
	fetch func(context.Context, *world.World, string) (updateclient.Set, error)
	open  func(context.Context, *world.World) (capupdate.Updated, func(), error)
}

// routes are all ways. The app is the one that the lies are about.
func routes(t *testing.T, o *world.Operator) map[string]route {
	return map[string]route{
		"to the system": {
			kept: "system/sets/.kept",
			fetch: func(ctx context.Context, w *world.World, reference string) (updateclient.Set, error) {
				return fetchFrom(t, ctx, w, reference)
			},
			open: func(ctx context.Context, w *world.World) (capupdate.Updated, func(), error) {
				updated, err := o.Updated(ctx)
				return updated, updated.Release, err
			},
		},
		"to an app": {
			apps: true,
			kept: "system/apps/alpha/sets/.kept",
			fetch: func(ctx context.Context, w *world.World, reference string) (updateclient.Set, error) {
				name, set, err := fetchApp(t, ctx, w, "apps", reference, updateclient.App{})
				if err == nil && name != "alpha" {
					t.Errorf("it is the package %q", name)
				}
				return set, err
			},
			open: func(ctx context.Context, w *world.World) (capupdate.Updated, func(), error) {
				return openApp(t, ctx, w, "alpha")
			},
		},
	}
}

// fetchApp has a role fetch a set of apps.
func fetchApp(t *testing.T, ctx context.Context, w *world.World, role, reference string,
	app updateclient.App) (string, updateclient.Set, error) {
	t.Helper()
	client, release, err := facetsOf["AppFetcher"](ctx, as(t, ctx, w, role))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	name, set, _, err := updateclient.FetchApp(ctx, fetch.AppFetcher(client), reference, app, capupdate.StageProgress{})
	return name, set, err
}

// openApp opens a package with the role apps.
func openApp(t *testing.T, ctx context.Context, w *world.World, name string) (capupdate.Updated, func(), error) {
	t.Helper()
	client, release, err := facetsOf["AppInstaller"](ctx, as(t, ctx, w, "apps"))
	if err != nil {
		t.Fatal(err)
	}
	answer, releaseOpen := capupdate.AppInstaller(client).Open(ctx,
		func(p capupdate.AppInstaller_open_Params) error { return p.SetName(name) })
	res, err := convert.Outcome(answer.Struct())
	done := func() { releaseOpen(); release() }
	if err != nil {
		done()
		return capupdate.Updated{}, func() {}, err
	}
	return capupdate.Updated(res.App()), done, nil
}

// discard drops the staged set: what it holds would not be fetched.
func (r route) discard(t *testing.T, ctx context.Context, w *world.World) {
	t.Helper()
	updated, done, err := r.open(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	set, err := updateclient.Staged(ctx, updated)
	if err == nil {
		err = set.Discard(ctx)
		set.System.Release()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestADeviceRefusesLyingRegistries tells a device all lies that are told to those who pull, whatever the set is for.
// It gets the same reason, at a bounded cost; nothing is staged, and nothing is left of what was refused.
func TestADeviceRefusesLyingRegistries(t *testing.T) {
	l, host := ocitest.Lying(t)
	reference := pushed(t, host)
	w := shared(t)
	o := w.Operator()
	for name := range routes(t, o) {
		for _, c := range ocitest.PullLies() {
			t.Run(name+"/"+c.Name, func(t *testing.T) { tellLie(t, w, o, l, routes(t, o)[name], reference, c) })
		}
	}
}

// nameless are lies by which a registry names no bundle, so that a set of apps is refused before it has a reader.
var nameless = []string{"no layers", "a name that leads elsewhere", "a layer without a name"}

func tellLie(t *testing.T, w *world.World, o *world.Operator, l *ocitest.Liar, by route, reference string,
	c ocitest.Case) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	before := stateNow(o)
	l.Lie = c.Lie
	l.Requests.Store(0)
	set, err := by.fetch(ctx, w, reference)
	if c.Reason == "" {
		if err != nil || set.Version != "1.0.0" {
			t.Errorf("got %+v, %v", set, err)
		}
		by.discard(t, ctx, w)
		return
	}
	if by.apps && slices.Contains(nameless, c.Name) {
		c.Reason = string(refusal.NotASet)
	}
	if got := refusal.Of(err); string(got) != c.Reason {
		t.Errorf("got %q (%v), want %q", got, err, c.Reason)
	}
	o.AwaitState("the end of the stage", 0, func(s world.State) bool { return !s.Staging })
	unmoved(t, o, before, c.Name)
	if n := l.Requests.Load(); n > maxRequests {
		t.Errorf("it cost %d requests", n)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, by.kept)); err != nil {
		return
	}
	if r := refusal.Reason(c.Reason); r != refusal.RegistryUnavailable && r != refusal.Stalled {
		t.Error("something is kept of what was refused")
	}
	l.Lie = nil
	if set, err := by.fetch(ctx, w, reference); err != nil || set.Version != "1.0.0" {
		t.Errorf("then the truth: %+v, %v", set, err)
	}
	by.discard(t, ctx, w)
}

// TestFetchesOfApps has sets of apps refused that another way, role or verb would take, or none.
func TestFetchesOfApps(t *testing.T) {
	_, host := ocitest.Lying(t)
	reference := pushed(t, host)
	w := world.New(t)
	for _, role := range []string{"stage", "apps", "apps:web*"} {
		w.Share(role)
	}
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	before := stateNow(w.Operator())
	for _, c := range []struct {
		name, role string
		app        updateclient.App
		want       refusal.Reason
	}{
		{"a key that is trusted for the system only", "apps", updateclient.App{}, refusal.UntrustedPublisher},
		{"an upgrade of what is not installed", "apps", updateclient.App{Upgrade: true}, refusal.UnknownApp},
		{"an app out of the scope", "apps:web*", updateclient.App{}, refusal.NotGranted},
		{"a role that may stage sets of the system", "stage", updateclient.App{}, refusal.NotGranted},
	} {
		if c.role == "stage" {
			client, release, err := facetsOf["AppFetcher"](ctx, as(t, ctx, w, c.role))
			if refusal.Of(convert.Excepted(err)) != c.want || client.IsValid() {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			release()
			continue
		}
		if _, _, err := fetchApp(t, ctx, w, c.role, reference, c.app); refusal.Of(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	for left, err := os.ReadDir(filepath.Join(w.Dir, "system/apps")); len(left) > 0 || err != nil; {
		if ctx.Err() != nil {
			t.Fatalf("of refused apps %v is left, %v", left, err)
		}
		time.Sleep(10 * time.Millisecond) // it goes with what fetchd has let go of
		left, err = os.ReadDir(filepath.Join(w.Dir, "system/apps"))
	}
	unmoved(t, w.Operator(), before, "fetches of apps")
}

// TestOnlyFetchdStagesApps has the role stage ask for the stage of a package.
func TestOnlyFetchdStagesApps(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	stage := stager(t, ctx, shared(t))
	if _, err := updateclient.StageOf(ctx, stage, updateclient.App{Name: "alpha"}); refusal.Of(
		err) != refusal.NotGranted {
		t.Errorf("got %v, want %s", err, refusal.NotGranted)
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
	outcome, o := make(chan error, 1), w.Operator()
	for ended := false; !ended; {
		go func() {
			_, err := fetchFrom(t, t.Context(), w, reference)
			outcome <- err
		}()
		<-asked
		var err error
		if ended, err = o.EndStage(); err != nil {
			t.Fatal(err)
		}
		want := refusal.Cancelled
		if !ended { // the operator was faster than fetchd's wait for operators
			want = refusal.StageInProgress
		}
		if err := <-outcome; refusal.Of(err) != want {
			t.Fatalf("the fetch: %v, want %s", err, want)
		}
		if !ended {
			w.Clock.Wind(2 * time.Minute)
		}
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

// TestOnlyFetchdGetsAPipe has the role stage ask for a pipe in place of messages. The stage takes messages then.
func TestOnlyFetchdGetsAPipe(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := shared(t)
	sink, err := beginStage(t, ctx, stager(t, ctx, w), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	answer, release := sink.Stream(ctx, func(p capupdate.StageSink_stream_Params) error {
		p.SetBytes(1 << 20)
		return nil
	})
	defer release()
	if _, err := answer.Struct(); err == nil {
		t.Error("it got one")
	}
	if err := send(ctx, sink, make([]byte, 512)); err != nil {
		t.Error(err)
	}
}
