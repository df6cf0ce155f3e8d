package testscripts

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
	"nexus/selftest/kit"
)

// fetchedTwice is how much may be fetched twice because of one interruption.
const fetchedTwice = 1 << 20

// big is a set with one large payload, in a file.
func big(t *testing.T, version string, size int) string {
	t.Helper()
	payload := make([]byte, size)
	source := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = source.Read(payload)
	key := updatestest.Key(1)
	raw := updatestest.Archive(t, key, version, updatestest.Bundle("big", version, nil, payload, key))
	name := filepath.Join(t.TempDir(), version+".nxs")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// push pushes a set.
func push(t *testing.T, file, reference string, flags ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(shared.bin(), "nxs-pack"),
		append([]string{"push", file, reference}, flags...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("nxs-pack push: %v\n%s", err, out)
	}
}

// newFetchRig starts a system that trusts the sets of big.
func newFetchRig(t *testing.T, flags ...string) *crashRig {
	t.Helper()
	return fetchRigIn(t, filepath.Join(t.TempDir(), "sys"), flags...)
}

func fetchRigIn(t *testing.T, dir string, flags ...string) *crashRig {
	t.Helper()
	return newCrashRig(t, dir, append(flags, "--trust", "hex-public:"+updatestest.Key(1).Public().String())...)
}

// TestFetch fetches two sets, of which the second has most in common with the first: that is not fetched again.
func TestFetch(t *testing.T) {
	t.Parallel()
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			registry := ocitest.Start(t, kind, ocitest.Options{})
			r := newFetchRig(t)
			for _, c := range []struct {
				version         string
				reused, fetched int64
			}{{"3.0.0", 0, 3 << 20}, {"3.1.0", 3 << 20, 0}} {
				reference := fmt.Sprintf("oci://%s/big:%s", registry.Host, c.version)
				push(t, big(t, c.version, 3<<20), reference)
				var staged struct {
					SystemVersion             string
					ReusedBytes, FetchedBytes int64
				}
				if err := r.ask(&staged, "stage", reference); err != nil {
					t.Fatal(err)
				}
				if staged.SystemVersion != c.version || staged.ReusedBytes != c.reused ||
					staged.FetchedBytes < c.fetched || staged.FetchedBytes > c.fetched+few {
					t.Errorf("got %+v, want %+v", staged, c)
				}
			}
			r.wantIntact(t)
			reference := fmt.Sprintf("oci://%s/demo:%s", registry.Host, newVersion)
			push(t, setFile(newVersion), reference)
			r.must("update", reference)
			if err := r.ask(&r.state, "status"); err != nil || r.state.version("b") != newVersion {
				t.Errorf("slot b holds %q: %v", r.state.version("b"), err)
			}
		})
	}
}

// TestFetchOfApps installs an app from a registry and upgrades it, of which what the device has is not fetched again.
// What is not for the verb, the role or the route is refused, and leaves nothing.
func TestFetchOfApps(t *testing.T) {
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			registry := ocitest.Start(t, kind, ocitest.Options{})
			reference := func(version string) string { return fmt.Sprintf("oci://%s/big:%s", registry.Host, version) }
			for _, version := range []string{"3.0.0", "3.1.0"} {
				push(t, big(t, version, 3<<20), reference(version))
			}
			web := filepath.Join(t.TempDir(), "web.sock")
			r := newFetchRig(t, "--share", "apps:web*="+web)
			if end := r.nx("install", reference("3.0.0")); end.reason != "untrusted-publisher" {
				t.Errorf("a key for the system alone: %+v", end)
			}
			r.must("trust", "add", "--role", "apps", "hex-public:"+updatestest.Key(1).Public().String())
			if end := r.nx("--socket", web, "install", reference("3.0.0")); end.reason != "not-granted" {
				t.Errorf("out of the scope: %+v", end)
			}
			if end := r.nx("upgrade", reference("3.0.0")); end.reason != "unknown-app" {
				t.Errorf("an upgrade of nothing: %+v", end)
			}
			for _, c := range []struct {
				verb, version   string
				reused, fetched int64
			}{{"install", "3.0.0", 0, 3 << 20}, {"upgrade", "3.1.0", 3 << 20, 0}} {
				var got struct {
					Package, SystemVersion    string
					ReusedBytes, FetchedBytes int64
				}
				if err := r.ask(&got, c.verb, reference(c.version)); err != nil {
					t.Fatal(err)
				}
				if got.Package != "big" || got.SystemVersion != c.version || got.ReusedBytes != c.reused ||
					got.FetchedBytes < c.fetched || got.FetchedBytes > c.fetched+few {
					t.Errorf("got %+v, want %+v", got, c)
				}
			}
			for args, reason := range map[[2]string]string{
				{"install", reference("3.1.0")}: "already-active",
				{"upgrade", reference("3.0.0")}: "downgrade",
				{"update", reference("3.1.0")}:  "name-taken",
			} {
				if end := r.nx(args[:]...); end.reason != reason {
					t.Errorf("%s: %+v, want %s", args[0], end, reason)
				}
			}
			var installed []struct{ Package, Version string }
			if err := r.ask(&installed, "apps"); err != nil || len(installed) != 1 || installed[0].Version != "3.1.0" {
				t.Errorf("got %+v, %v", installed, err)
			}
		})
	}
}

// few is more than a set has besides its payloads, but for the largest sets.
const few = 4 << 10

// Interruptions of TestFetchIsResumed: how many there are, and for how long the registry is away, which is longer than
// one transfer waits for it.
const (
	interruptions = 2
	awayFor       = 10 * time.Second
)

// TestFetchIsResumed interrupts a fetch in each of several ways. It goes on where it was.
func TestFetchIsResumed(t *testing.T) {
	t.Parallel()
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	const size = 6 << 20
	set := big(t, "3.0.0", size)
	push(t, set, fmt.Sprintf("oci://%s/big:3", registry.Host))
	kill := func(daemon string) func(*crashRig, *ocitest.Line) {
		return func(r *crashRig, _ *ocitest.Line) { r.kill(daemon) }
	}
	for name, interrupt := range map[string]func(*crashRig, *ocitest.Line){
		"the line breaks": func(_ *crashRig, l *ocitest.Line) { l.Cut() },
		"the registry goes away": func(_ *crashRig, l *ocitest.Line) {
			l.Turn(true)
			time.AfterFunc(awayFor, func() { l.Turn(false) })
		},
		"fetchd is killed":  kill("fetchd"),
		"updated is killed": kill("updated"),
		"nobody interrupts": func(*crashRig, *ocitest.Line) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := ocitest.NewLine(t, registry.Host)
			r := newFetchRig(t)
			struck := make(chan struct{}, interruptions)
			var again func()
			again = func() {
				if struck <- struct{}{}; len(struck) < interruptions {
					l.When(l.Total()+size/(interruptions+1), again)
				}
				interrupt(r, l)
			}
			l.When(size/(interruptions+1), again)
			r.must("stage", fmt.Sprintf("oci://%s/big:3", l.Host()))
			if got := l.Total(); got > size+interruptions*fetchedTwice || len(struck) != interruptions {
				t.Errorf("%d bytes came of %d, after %d interruptions", got, size, len(struck))
			} else {
				t.Logf("%d bytes came twice", got-size)
			}
			r.wantIntact(t)
		})
	}
}

// wantIntact wants all sets on the disk to be what was signed.
func (r *crashRig) wantIntact(t *testing.T) {
	t.Helper()
	var sets []struct{ Intact bool }
	if err := r.ask(&sets, "verify"); err != nil || len(sets) != 3 {
		t.Errorf("got %v, %v", sets, err)
	}
}

// kill kills a daemon.
func (r *crashRig) kill(daemon string) {
	for _, p := range kit.Descendants(r.system.cmd.Process.Pid) {
		if p.Name == daemon {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
}

// killAll kills the whole system at once.
func (r *crashRig) killAll() {
	r.killed = true
	for _, p := range append(kit.Descendants(r.system.cmd.Process.Pid), kit.Proc{PID: r.system.cmd.Process.Pid}) {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
	<-r.system.ended
}

// TestFetchIsResumedByTheNext has nx interrupted, nx killed, and the whole system killed: the next fetch goes on where
// it was.
func TestFetchIsResumedByTheNext(t *testing.T) {
	for verb, kept := range map[string]string{"stage": "system/sets/.kept", "install": "system/apps/big/sets/.kept"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			resumedByTheNext(t, verb, kept)
		})
	}
}

func resumedByTheNext(t *testing.T, verb, kept string) {
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	const size = 6 << 20
	push(t, big(t, "3.0.0", size), fmt.Sprintf("oci://%s/big:3", registry.Host))
	l := ocitest.NewLine(t, registry.Host)
	reference := fmt.Sprintf("oci://%s/big:3", l.Host())
	dir := filepath.Join(t.TempDir(), "sys")
	apps := "apps=hex-public:" + updatestest.Key(1).Public().String()
	r := fetchRigIn(t, dir, "--trust", apps)
	interruptions := []func(v *verbRun){
		func(v *verbRun) { v.Signal(syscall.SIGINT) },
		func(v *verbRun) { v.Signal(syscall.SIGKILL) },
		func(*verbRun) {
			r.killAll()
			r = fetchRigIn(t, dir)
		},
	}
	for i, interrupt := range interruptions {
		t.Logf("interruption %d", i)
		r.interruptStage(l, size/5, verb, reference, interrupt)
	}
	if _, err := os.Stat(r.at(kept)); err != nil {
		t.Errorf("nothing is kept: %v", err)
	}
	r.must(verb, reference)
	if verb == "stage" {
		r.wantIntact(t)
	}
	if got := l.Total(); got > size+int64(len(interruptions))*fetchedTwice {
		t.Errorf("%d bytes came of %d", got, size)
	} else {
		t.Logf("%d bytes came twice", got-size)
	}
	if _, err := os.Stat(r.at(kept)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is kept of a stage that is over: %v", err)
	}
}

// interruptStage begins a stage and interrupts it once so many bytes came. The bytes after them wait until it has
// ended.
func (r *crashRig) interruptStage(l *ocitest.Line, after int64, verb, reference string,
	interrupt func(*verbRun)) {
	r.t.Helper()
	reached, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	l.When(l.Total()+after, func() {
		close(reached)
		<-over
	})
	v := r.start(verb, reference)
	for _, step := range []chan struct{}{reached, v.Done} {
		select {
		case <-step:
		case <-time.After(waitLimit):
			r.t.Fatalf("the stage waits: %s", v.Said())
		}
		if step == reached {
			interrupt(v)
		}
	}
	if v.Exit() == 0 {
		r.t.Fatal("nx succeeded")
	}
}

// TestFetchByTLS has a system fetch from a registry that wants credentials, by TLS. It knows the registry by a
// certificate of its own, and what is secret is in no log.
func TestFetchByTLS(t *testing.T) {
	t.Parallel()
	const user, password = "anna", "correct-horse"
	registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{TLS: true, User: user, Password: password})
	other := ocitest.Start(t, ocitest.Debian, ocitest.Options{TLS: true})
	reference := fmt.Sprintf("oci://%s/big:3", registry.Host)
	file := func(name, password string) string {
		name = filepath.Join(t.TempDir(), name)
		secret := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, registry.Host, secret)
		if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	right := file("right", password)
	push(t, big(t, "3.0.0", 1<<20), reference, "--ca", registry.CA, "--credentials", right)
	for _, c := range []struct {
		name, reason string
		flags        []string
	}{
		{"known and let in", "", []string{"--registry-ca", registry.CA, "--registry-credentials", right}},
		{"another password", "registry-denied", []string{"--registry-ca", registry.CA, "--registry-credentials",
			file("wrong", "wrong-horse")}},
		{"no credentials", "registry-denied", []string{"--registry-ca", registry.CA}},
		{"another root", "untrusted-registry", []string{"--registry-ca", other.CA, "--registry-credentials", right}},
		{"no credentials in the file", "bad-file", []string{"--registry-ca", registry.CA, "--registry-credentials",
			registry.CA}},
		{"no certificates in the file", "bad-file", []string{"--registry-ca", right}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newFetchRig(t, c.flags...)
			end := r.nx("stage", reference)
			if end.reason != c.reason {
				t.Errorf("got %+v, want %q", end, c.reason)
			}
			log := r.start("log")
			<-log.Done
			said := end.text + strings.Join(r.system.Since(0), "\n") + log.Stdout.String()
			if !strings.Contains(said, reference) {
				t.Errorf("the log does not tell of the fetch:\n%s", said)
			}
			if strings.Contains(said, "horse") || strings.Contains(said, "YW5uYT") {
				t.Errorf("a secret is told:\n%s", said)
			}
		})
	}
}
